// SPDX-License-Identifier: Apache-2.0
// The functions of micro_context.h that the operator uses, to be included in their namespace.
void* MicroContextAllocatePersistentBuffer(TfLiteContext* context, size_t bytes);
TfLiteStatus MicroContextRequestScratchBufferInArena(TfLiteContext* context, size_t bytes,
                                                     int* buffer_index);
void* MicroContextGetScratchBuffer(TfLiteContext* context, int buffer_index);
void MicroContextReportOpError(TfLiteContext* context, const char* format, ...);
