"""Let a working tree be imported as `downlink_pipeline`, as the wheel is, though its folder is `pipeline/`."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Names(BuildHookInterface):  # type: ignore[type-arg]
    """Adds to an editable installation the module that finds the package under its other name."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """`version` is "editable" for an installation of the working tree, "standard" for a wheel."""
        if version != "editable":
            return
        from editables import EditableProject  # noqa: PLC0415 - hatchling asks for it then alone

        project = EditableProject("downlink_pipeline", self.root)
        project.map("downlink_pipeline", "pipeline")
        build_data["dependencies"] += project.dependencies()
        folder = Path(self.root, "build", "editable")
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in project.files():
            (folder / name).write_text(content)
            build_data["force_include_editable"][str(folder / name)] = name
