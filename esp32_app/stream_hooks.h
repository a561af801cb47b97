// SPDX-License-Identifier: Apache-2.0
// For models in stream mode: what a source file in main/user/ may define beside scanlet_next_input.
// Both have defaults (weak symbols), so leave away what you do not need.
#ifndef STREAM_HOOKS_H_
#define STREAM_HOOKS_H_

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Takes the outputs of one inference, one a hop, as real values: the place to smooth detections
// (a threshold, a number of hops in a row, a pause after each word) and to act on them. Returns
// true if that was all; after false, the default, a line is printed where the winner changes.
bool scanlet_on_scores(const float* scores, size_t count);

// Whether the last return of scanlet_next_input does not follow on the one before: samples were
// lost, or another recording began. The model's state is cleared then. The default says no.
bool scanlet_input_restarted(void);

#ifdef __cplusplus
}
#endif

#endif  // STREAM_HOOKS_H_
