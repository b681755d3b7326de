from sslreg import LoadedWeights


def test_the_line_names_what_was_loaded_and_why_the_rest_was_not() -> None:
    weights = LoadedWeights(
        source="dinov2_vits14.pth",
        file="/data/dinov2_vits14.pth",
        sha256="0123456789abcdef" * 4,
        layout="timm",
        prefix="teacher.backbone.",
        loaded=174,
        tensors=175,
        adapted={"pos_embed": "resized"},
        missing={"reg_token": "the file has no registers"},
        left_out={f"head.{number}": "head" for number in range(5)},
    )
    assert weights.describe() == (
        "174 of 175 tensors loaded from dinov2_vits14.pth (timm, teacher.backbone.*; SHA-256 0123456789ab); adapted: "
        "pos_embed (resized); missing: reg_token (the file has no registers); left out: head.0 (head), head.1 (head), "
        "head.2 (head), 2 more"
    )
