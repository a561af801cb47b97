"""Programs that several emulation tests run."""

from __future__ import annotations

ARM = ("cortex-m4", "cortex-m7", "cortex-m55")


def by_architecture(core: str, *, arm: str, xtensa: str, riscv: str) -> str:
    """The text for the core's instruction set."""
    return {"xtensa-fpu": xtensa, "rv32imc": riscv}.get(core, arm)


def program(body: str, *, before: str = "") -> dict[str, str]:
    """A program whose main function is `body`, after the declarations `before`."""
    return {
        "main.c": f"""
#include <stdint.h>
#include <string.h>
#include "scanlet_program.h"
{before}
int scanlet_main(void) {{
{body}
  return 0;
}}
"""
    }
