// SPDX-License-Identifier: Apache-2.0
// A ring buffer between one writer (the task or callback that a microphone feeds) and one reader
// (scanlet_next_input), without locks. For a model that takes a hop of 20 ms, two frames of 40
// features, in a source file in main/user/:
//
//   static SampleRing<int16_t, 4096> ring;  // 256 ms at 16 kHz; filled by the I2S callback
//
//   extern "C" const float* scanlet_next_input(size_t count) {
//     static int16_t samples[320];
//     static float frames[2 * 40];
//     while (!ring.Pop(samples, 320)) vTaskDelay(1);
//     // FrontendProcessSamples twice; its values times the factor of training into `frames`
//     return frames;
//   }
//   extern "C" bool scanlet_input_restarted(void) { return ring.TakeOverrun(); }
#ifndef SAMPLE_RING_H_
#define SAMPLE_RING_H_

#include <atomic>
#include <cstddef>

// Holds up to kCapacity values, a power of two.
template <typename T, size_t kCapacity>
class SampleRing {
  static_assert(kCapacity > 0 && (kCapacity & (kCapacity - 1)) == 0, "a power of two");

 public:
  // The writer's: adds `count` values. What has no room is lost, and an overrun is noted.
  void Push(const T* values, size_t count) {
    const size_t end = end_.load(std::memory_order_relaxed);
    const size_t free = kCapacity - (end - begin_.load(std::memory_order_acquire));
    const size_t taken = count < free ? count : free;
    for (size_t i = 0; i < taken; ++i) values_[(end + i) % kCapacity] = values[i];
    end_.store(end + taken, std::memory_order_release);
    if (taken < count) overrun_.store(true, std::memory_order_release);
  }

  // The reader's: takes the oldest `count` values; false, and nothing is taken, while there are
  // fewer.
  bool Pop(T* out, size_t count) {
    const size_t begin = begin_.load(std::memory_order_relaxed);
    if (end_.load(std::memory_order_acquire) - begin < count) return false;
    for (size_t i = 0; i < count; ++i) out[i] = values_[(begin + i) % kCapacity];
    begin_.store(begin + count, std::memory_order_release);
    return true;
  }

  // The reader's: whether values were lost since the last call.
  bool TakeOverrun() { return overrun_.exchange(false, std::memory_order_acq_rel); }

 private:
  T values_[kCapacity] = {};
  std::atomic<size_t> begin_{0};  // counts on without end; the place is the rest by kCapacity
  std::atomic<size_t> end_{0};
  std::atomic<bool> overrun_{false};
};

#endif  // SAMPLE_RING_H_
