// SPDX-License-Identifier: Apache-2.0
// Empty: a test defines CONFIG_ESP_CONSOLE_... on the command line.
