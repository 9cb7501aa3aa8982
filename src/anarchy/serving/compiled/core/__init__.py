"""What both compiled loops share: compilation, records, the event queue, requests."""

import os

# Numba reads its settings here, when it is imported and again when one has changed. More
# optimisation takes a tenth longer to compile and gains nothing that can be measured; loops are
# short and branch, so vectorising them only takes time.
for _setting, _value in {"OPT": "1", "LOOP_VECTORIZE": "0", "SLP_VECTORIZE": "0"}.items():
    os.environ.setdefault(f"NUMBA_{_setting}", _value)
