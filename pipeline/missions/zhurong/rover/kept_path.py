"""What the live page keeps of navigation: one continuous path, however often the position was re-zeroed."""

from __future__ import annotations

import numpy as np

from ....model.looks import Kept, Rows


def _joined(rows: Rows, before: Rows) -> Rows:
    """Positions as one path: where the position is re-zeroed the rover has not moved."""
    position, frame = rows["position_enu_m"], rows["frame_id"]
    last_position = before["position_enu_m"][-1:] if before else position[:1]
    last_frame = before["frame_id"][-1:] if before else frame[:1]
    path = before["path_m"][-1] if before else position[0]
    steps = np.diff(position, axis=0, prepend=last_position)
    steps[np.diff(frame, prepend=last_frame) != 0] = 0.0
    rows["path_m"] = path + np.cumsum(steps, axis=0)
    return rows


PATH = Kept(
    8_000, ("position_enu_m", "frame_id", "heading_deg", "distance_m", "speed_m_s", "drive_mode"), derive=_joined
)
