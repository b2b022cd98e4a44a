//===- Data.cpp - The bytes a model is trained and measured on ------------===//

#include "examples/char-lm/Data.h"

#include <ATen/ATen.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

using namespace charlm;

Data::Data(const std::string &path, int64_t length) : context(length) {
  // Some devices never end.
  std::error_code ignored;
  if (std::filesystem::is_character_file(path, ignored))
    throw std::runtime_error(path + ": expected a file, found a device");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    throw std::runtime_error(path + ": cannot be opened: " + std::strerror(errno));
  bytes.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  if (file.bad())
    throw std::runtime_error(path + ": could not be read");
  int64_t size = static_cast<int64_t>(bytes.size());
  split = size - size / 10;
  // A sequence needs one byte more than its context: the last target.
  if (heldOutBytes() < context + 1)
    throw std::runtime_error(path + ": too short: expected at least " +
                             std::to_string(10 * (context + 1)) + " bytes for a context of " +
                             std::to_string(context) + ", found " + std::to_string(size));
}

Data::Batch Data::gather(const std::vector<int64_t> &starts) const {
  int64_t count = static_cast<int64_t>(starts.size());
  at::Tensor inputs = at::empty({count, context}, at::kLong);
  at::Tensor targets = at::empty({count, context}, at::kLong);
  auto *in = inputs.data_ptr<int64_t>(), *out = targets.data_ptr<int64_t>();
  for (int64_t row = 0; row < count; ++row)
    for (int64_t t = 0; t < context; ++t) {
      in[row * context + t] = static_cast<unsigned char>(bytes[starts[row] + t]);
      out[row * context + t] = static_cast<unsigned char>(bytes[starts[row] + t + 1]);
    }
  return {inputs, targets};
}

Data::Batch Data::batch(int64_t size, uint64_t seed, int64_t step) const {
  std::seed_seq sequence{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32),
                         static_cast<uint32_t>(step)};
  std::mt19937_64 random(sequence);
  std::vector<int64_t> starts(size);
  for (int64_t &start : starts)
    start = static_cast<int64_t>(random() % static_cast<uint64_t>(split - context));
  return gather(starts);
}

Data::Batch Data::heldOut(int64_t size, int64_t index) const {
  std::vector<int64_t> starts;
  for (int64_t row = 0; row < size; ++row) {
    int64_t start = split + (index * size + row) * context;
    if (start + context + 1 > static_cast<int64_t>(bytes.size()))
      break;
    starts.push_back(start);
  }
  return starts.empty() ? Batch() : gather(starts);
}
