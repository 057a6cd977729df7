"""The explorer's grids of buttons: an editor of mazes, and the step x frame cells of noise."""

import ipywidgets as w

from ..figures.player import OKABE_ITO
from ..puzzles.maze import ACROSS

SMALL = w.Layout(width="26px", height="22px", padding="0px", margin="1px")
CELL = w.Layout(width="24px", height="17px", padding="0px", margin="1px")


WALLS = (
    "<style>.drawn-wall { background: #444 } "
    ".drawn-wall.mod-active { background: #f5f5f7 !important }</style>"
)


class MazeEditor:
    """An editor of mazes: a click on a wall opens or closes it; clicks on rooms move the start and
    the goal in turn."""

    def __init__(self, rooms: int = 5):
        self.size = w.IntSlider(rooms, 3, ACROSS, description="rooms", continuous_update=False)
        self.size.observe(lambda _: self._fresh(), "value")
        self.grid = w.GridBox()
        self.view = w.VBox([self.size, w.HTML(WALLS), self.grid])
        self._fresh()

    def show(self, visible: bool) -> None:
        self.view.layout.display = "" if visible else "none"

    def drawn(self) -> tuple:
        """Arguments of `hand_drawn`."""
        doors = tuple(door for door, button in sorted(self.doors.items()) if button.value)
        return self.size.value, doors, self.start, self.goal

    def load(self, drawn: tuple) -> None:
        self.size.value, doors, self.start, self.goal = drawn
        for door, button in self.doors.items():
            button.value = door in {tuple(map(tuple, each)) for each in doors}
        self._mark()

    def _fresh(self) -> None:
        n = self.size.value
        self.start, self.goal, self._next = (0, 0), (n - 1, n - 1), "start"
        self.doors: dict[tuple, w.ToggleButton] = {}
        self.rooms: dict[tuple, w.Button] = {}
        for y in range(2 * n - 1):
            for x in range(2 * n - 1):
                self._place(x, y)
        blank = [w.Label("", layout=SMALL).add_class("drawn-wall") for _ in range((n - 1) ** 2)]
        places = {(2 * x, 2 * y): button for (x, y), button in self.rooms.items()}
        places |= {(a[0] + b[0], a[1] + b[1]): button for (a, b), button in self.doors.items()}
        side = range(2 * n - 1)
        self.grid.children = [places.get((x, y)) or blank.pop() for y in side for x in side]
        self.grid.layout = w.Layout(grid_template_columns=f"repeat({2 * n - 1}, 28px)")
        self._mark()

    def _place(self, x: int, y: int) -> None:
        if x % 2 == 0 and y % 2 == 0:
            room = (x // 2, y // 2)
            self.rooms[room] = w.Button(layout=SMALL, tooltip=f"room {room}")
            self.rooms[room].on_click(lambda _: self._click(room))
        elif x % 2 != y % 2:
            door = ((x // 2, y // 2), ((x + 1) // 2, (y + 1) // 2))
            self.doors[door] = _toggle(f"wall between {door[0]} and {door[1]}", SMALL).add_class(
                "drawn-wall"
            )

    def _click(self, room: tuple[int, int]) -> None:
        if self._next == "start":
            self.start, self._next = room, "goal"
        else:
            self.goal, self._next = room, "start"
        self._mark()

    def _mark(self) -> None:
        for room, button in self.rooms.items():
            button.style.button_color = {self.start: OKABE_ITO[2], self.goal: OKABE_ITO[1]}.get(
                room, "#f5f5f7"
            )


class Cells:
    """The step x frame grid: a click on a cell puts noise into it."""

    def __init__(self, steps: int, frames: int):
        self.frames, self.buttons = frames, {}
        columns = w.Layout(
            grid_template_columns=f"24px repeat({frames}, 26px)",
            grid_auto_rows="19px",
            width="auto",
        )
        self.grid = w.GridBox(layout=columns)
        self.view = w.Box([self.grid], layout=w.Layout(max_height="440px", overflow="auto"))
        self.resize(steps)

    def resize(self, steps: int) -> None:
        """Changes the number of rows; cells that remain stay chosen."""
        chosen = self.chosen()
        places = [(s, f) for s in range(steps) for f in range(self.frames)]
        self.buttons = {
            (s, f): _toggle(f"noise at step {s}, frame {f}", CELL, "danger") for s, f in places
        }
        rows = [_small(""), *(_small(f) for f in range(self.frames))]
        for s in range(steps):
            rows += [_small(s), *(self.buttons[s, f] for f in range(self.frames))]
        self.choose(chosen)
        self.grid.children = rows

    def chosen(self) -> tuple[tuple[int, int], ...]:
        return tuple(cell for cell, button in self.buttons.items() if button.value)

    def choose(self, cells: tuple) -> None:
        for cell, button in self.buttons.items():
            button.value = cell in set(map(tuple, cells))


def _toggle(tooltip: str, layout: w.Layout, pressed: str = "") -> w.ToggleButton:
    """A button that stays pressed, and then has the colour of a style of that name."""
    button = w.ToggleButton(False, layout=layout, tooltip=tooltip)
    button.observe(
        lambda change: setattr(button, "button_style", pressed if change["new"] else ""), "value"
    )
    return button


def _small(text: object) -> w.HTML:
    """The number of a row or a column."""
    return w.HTML(
        f'<div style="font-size: 11px; line-height: 17px; text-align: center">{text}</div>'
    )
