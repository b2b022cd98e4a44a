//===- MetaKernels.cpp - Shapes without numbers ---------------------------===//

#include "frontends/torch/capture/MetaKernels.h"

#include <ATen/ATen.h>

#include <cstring>

using namespace aft;
using namespace aft::capture;
using at::Tensor;
using c10::IValue;

static Tensor toMeta(const Tensor &tensor) {
  if (!tensor.defined())
    return tensor;
  return at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(at::kMeta));
}

static IValue toMeta(const IValue &value) {
  if (value.isTensor())
    return toMeta(value.toTensor());
  if (value.isTensorList()) {
    c10::List<Tensor> list;
    for (const Tensor &tensor : value.toTensorVector())
      list.push_back(toMeta(tensor));
    return list;
  }
  if (value.isOptionalTensorList()) {
    c10::List<std::optional<Tensor>> list;
    for (const IValue &item : value.toListRef())
      list.push_back(item.isTensor() ? std::optional<Tensor>(toMeta(item.toTensor()))
                                     : std::nullopt);
    return list;
  }
  return value;
}

Tensor capture::zeroed(const Tensor &like) {
  Tensor tensor = at::empty_strided(like.sizes(), like.strides(), like.options().device(at::kCPU));
  const c10::Storage &storage = tensor.storage();
  if (storage.nbytes() > 0)
    std::memset(storage.mutable_data(), 0, storage.nbytes());
  return tensor;
}

/// Memory in the shape of a meta tensor. Numbers that may be used as indices
/// are 0, others are whatever they are: pages nobody touches cost nothing.
static Tensor fromMeta(const Tensor &meta) {
  if (!meta.defined() || !meta.is_meta())
    return meta;
  if (at::isIntegralType(meta.scalar_type(), /*includeBool=*/true))
    return zeroed(meta);
  return at::empty_strided(meta.sizes(), meta.strides(), meta.options().device(at::kCPU));
}

static IValue fromMeta(const IValue &value) {
  if (value.isTensor())
    return fromMeta(value.toTensor());
  if (!value.isTensorList())
    return value;
  c10::List<Tensor> list;
  for (const Tensor &tensor : value.toTensorVector())
    list.push_back(fromMeta(tensor));
  return list;
}

bool capture::isPure(const c10::FunctionSchema &schema, const Call &call) {
  bool takesTensor = false;
  for (const auto &argument : schema.arguments())
    if (argument.alias_info())
      return false;
  for (const Arg &arg : call.args)
    takesTensor |= arg.kind == Arg::Kind::Value || arg.kind == Arg::Kind::Values;
  for (const auto &result : schema.returns())
    if (result.alias_info())
      return false;
  return takesTensor;
}

/// LibTorch has no meta kernel of layer_norm in C++. Its kernel runs on a single
/// row, for the sake of its checks; the result has the shape of the input.
static void runLayerNorm(const c10::OperatorHandle &op, size_t count, torch::jit::Stack *stack) {
  size_t first = stack->size() - count;
  Tensor input = (*stack)[first].toTensor();
  int64_t normalized = static_cast<int64_t>((*stack)[first + 1].toListRef().size());
  std::vector<int64_t> row = input.sizes().vec();
  for (int64_t dim = 0; dim < input.dim() - normalized; ++dim)
    row[dim] = 1;
  // All on the CPU, where the results of calls are meanwhile. The input is not touched:
  // what is freed with its pages mapped would be handed out again as the memory of results.
  (*stack)[first] = at::zeros(row, input.options().device(at::kCPU));
  for (size_t i = first + 1; i < stack->size(); ++i)
    if (IValue &value = (*stack)[i]; value.isTensor() && value.toTensor().defined())
      value = at::zeros_like(value.toTensor(), at::TensorOptions().device(at::kCPU));
  op.callBoxed(stack);
  Tensor result = torch::jit::pop(*stack).toTensor();
  torch::jit::push(*stack, at::empty(input.sizes(), result.options()));
}

/// Nor of embedding, which runs on a single index.
static void runEmbedding(const c10::OperatorHandle &op, size_t count, torch::jit::Stack *stack) {
  size_t first = stack->size() - count;
  Tensor table = (*stack)[first].toTensor(), indices = (*stack)[first + 1].toTensor();
  std::vector<int64_t> sizes = indices.sizes().vec();
  if (indices.numel() == 0 || table.dim() != 2)
    return op.callBoxed(stack);
  (*stack)[first] = at::zeros({1, table.size(1)}, table.options().device(at::kCPU));
  (*stack)[first + 1] = at::zeros({1}, indices.options().device(at::kCPU));
  op.callBoxed(stack);
  Tensor result = torch::jit::pop(*stack).toTensor();
  sizes.push_back(result.size(-1));
  torch::jit::push(*stack, at::empty(sizes, result.options()));
}

bool capture::runMeta(const c10::OperatorHandle &op, const Call &call, torch::jit::Stack *stack) {
  if (call.name == "aten::layer_norm") {
    runLayerNorm(op, call.schema->arguments().size(), stack);
    return true;
  }
  if (call.name == "aten::embedding") {
    runEmbedding(op, call.schema->arguments().size(), stack);
    return true;
  }
  size_t count = call.schema->arguments().size(), first = stack->size() - count;
  torch::jit::Stack meta;
  for (size_t i = 0; i < count; ++i)
    meta.push_back(toMeta((*stack)[first + i]));
  Tensor target, changed;
  if (call.written >= 0) {
    target = (*stack)[first + call.written].toTensor();
    changed = meta[call.written].toTensor();
  }
  try {
    op.callBoxed(&meta);
  } catch (const c10::NotImplementedError &) {
    return false;
  }
  if (target.defined() && (changed.sizes() != target.sizes() ||
                           changed.strides() != target.strides() || meta.size() > 1))
    return false;
  torch::jit::drop(*stack, count);
  for (const IValue &result : meta)
    stack->push_back(target.defined() ? IValue(target) : fromMeta(result));
  return true;
}
