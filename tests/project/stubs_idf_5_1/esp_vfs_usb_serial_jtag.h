// SPDX-License-Identifier: Apache-2.0
// Only what registers the port in the file system; the application needs none of it.
