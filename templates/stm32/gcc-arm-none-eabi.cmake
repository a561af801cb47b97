# SPDX-License-Identifier: Apache-2.0
# The GNU toolchain for a Cortex-M7 with its double-precision float unit. Found on the PATH, or in
# the folder that -DARM_TOOLCHAIN_DIR=/path/to/bin names.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR cortex-m7)

if(ARM_TOOLCHAIN_DIR)
  set(prefix ${ARM_TOOLCHAIN_DIR}/arm-none-eabi-)
else()
  set(prefix arm-none-eabi-)
endif()
set(CMAKE_C_COMPILER ${prefix}gcc)
set(CMAKE_CXX_COMPILER ${prefix}g++)
set(CMAKE_ASM_COMPILER ${prefix}gcc)
set(CMAKE_OBJCOPY ${prefix}objcopy CACHE STRING "")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ARM_TOOLCHAIN_DIR)

# Programs of the machine that builds; headers and libraries of the toolchain alone.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)

set(cpu "-mcpu=cortex-m7 -mthumb -mfpu=fpv5-d16 -mfloat-abi=hard")
set(CMAKE_C_FLAGS_INIT "${cpu}")
set(CMAKE_CXX_FLAGS_INIT "${cpu} -fno-exceptions -fno-rtti")
set(CMAKE_ASM_FLAGS_INIT "${cpu}")
set(CMAKE_EXE_LINKER_FLAGS_INIT "--specs=nano.specs -nostartfiles -Wl,--gc-sections")
