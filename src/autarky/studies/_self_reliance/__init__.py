"""The parts of the self-reliance study, in the order of its report; `self_reliance.py` puts them together."""
