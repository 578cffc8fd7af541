"""mission.toml and its dictionary files to frozen definitions; collects every problem."""
