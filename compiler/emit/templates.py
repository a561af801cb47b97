"""The Jinja environment of the C templates."""

from __future__ import annotations

from functools import cache
from typing import Any

import jinja2

from scanlet.emit.c_text import c_float
from scanlet.planning.layer import pad
from scanlet.resources import resource_dir


def render(template: str, context: dict[str, Any]) -> str:
    """Render a template of templates/ by its path there; undefined names are errors."""
    return _environment().get_template(template).render(context)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("templates")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # C source, not HTML
    )
    environment.filters["c_float"] = c_float
    environment.filters["padded"] = pad
    return environment
