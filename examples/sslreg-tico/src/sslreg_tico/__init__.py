"""TiCo: transformation invariance and covariance contrast.

This module only registers the components. Their modules are imported when a spec uses them.
"""

import sslreg

sslreg_api = 1


@sslreg.hookimpl
def sslreg_register(registry: sslreg.Registry) -> None:
    registry.model(
        "tico",
        "sslreg_tico.model:TiCo",
        summary="embeddings of one view, and a momentum encoder's of the other",
    )
    registry.loss(
        "tico",
        "sslreg_tico.loss:TiCoLoss",
        summary="views agree, and embeddings avoid the directions in which past ones vary",
    )
