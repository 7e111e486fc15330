"""Studies: one file each, with `run(flows, con, …) -> Findings`; keyword parameters become options of `autarky run`."""
