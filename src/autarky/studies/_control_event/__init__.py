"""The parts of the study of a control's aftermath, in the order of its report; `control_event.py` puts them together."""
