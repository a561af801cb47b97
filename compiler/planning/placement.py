"""Which memory of a chip holds the model's static memory: the fastest one that has room.

A chip with tightly coupled memory has little of it, and the stack and the application's variables
want it, too. The generated linker script says what was chosen, and a person may change it.
"""

from __future__ import annotations

from scanlet.errors import TargetError
from scanlet.targets import Memory, Target

#: The stack of a generated firmware: what the model needs (`Target.stack_bytes`) and the
#: application's own functions and interrupts.
STACK_BYTES = 8 * 1024
#: What the application's own variables may take of the memory that holds the stack.
APPLICATION_BYTES = 8 * 1024


def place_model(target: Target, static_bytes: int, buffer_bytes: int) -> Memory:
    """The memory for `static_bytes` of arena and state, the fastest of `target.model_memories`.

    The first of them also holds the stack, variables, and `buffer_bytes` of inputs and outputs.
    Raises TargetError with all sizes if none has room.
    """
    by_name = {memory.name: memory for memory in target.memories}
    shared = STACK_BYTES + APPLICATION_BYTES + buffer_bytes
    rooms = []
    for i, name in enumerate(target.model_memories):
        room = by_name[name].nbytes - (shared if i == 0 else 0)
        if static_bytes <= room:
            return by_name[name]
        rooms.append(f"{name} has {max(room, 0):,} left")
    raise TargetError(
        f"the model's static memory of {static_bytes:,} bytes fits no memory: {', '.join(rooms)}",
        where=target.name,
        hint="give memory_limit= so that a smaller time tile is chosen, or shorten the input",
    )
