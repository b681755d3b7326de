import subprocess
import sys


def test_it_can_be_asked_for_anywhere() -> None:
    program = "import sslreg.views.malloc as m, torch; m.keep_freed_memory(); print(torch.zeros(9, 1000, 1000).sum())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "0." in done.stdout
