"""The parts of the control-exposure study."""
