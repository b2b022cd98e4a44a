//===- Decoder.cpp - Continues a text byte by byte ------------------------===//

#include "examples/char-lm/Decoder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

using namespace charlm;

void Decoder::reset() {
  state = model->initialState(1);
  text.clear();
}

/// One call of the decode step with all bytes as a chunk.
void Decoder::advance(const std::string &bytes) {
  int64_t count = static_cast<int64_t>(bytes.size()), start = static_cast<int64_t>(text.size());
  at::Tensor ids = at::empty({1, count}, at::kLong);
  for (int64_t i = 0; i < count; ++i)
    ids.data_ptr<int64_t>()[i] = static_cast<unsigned char>(bytes[i]);
  aft::Tensors inputs = {ids, at::arange(start, start + count, at::kLong)};
  inputs.insert(inputs.end(), state.begin(), state.end());
  aft::Tensors outputs = compiled.run(inputs);
  logits = outputs[0].to(at::kFloat).reshape({-1});
  state.assign(outputs.begin() + 1, outputs.end());
  text += bytes;
}

void Decoder::feed(const std::string &bytes) {
  size_t context = static_cast<size_t>(model->options.context());
  if (text.size() + bytes.size() <= context) {
    if (!bytes.empty())
      advance(bytes);
    return;
  }
  std::string all = text + bytes;
  reset();
  advance(all.substr(all.size() - std::max<size_t>(1, context / 2)));
}

unsigned char Decoder::next(double temperature, std::mt19937_64 &random) {
  const float *scores = logits.data_ptr<float>();
  int64_t count = logits.numel(), chosen = std::max_element(scores, scores + count) - scores;
  if (temperature > 0) {
    float top = scores[chosen];
    std::vector<double> sums(count);
    double sum = 0;
    for (int64_t i = 0; i < count; ++i)
      sums[i] = sum += std::exp((scores[i] - top) / temperature);
    double draw = static_cast<double>(random() >> 11) * 0x1p-53 * sum;
    chosen = std::min<int64_t>(count - 1,
                               std::upper_bound(sums.begin(), sums.end(), draw) - sums.begin());
  }
  feed(std::string(1, static_cast<char>(chosen)));
  return static_cast<unsigned char>(chosen);
}
