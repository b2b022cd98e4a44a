//===- Operators.cpp - What a file may call -------------------------------===//

#include "frontends/torch/import/Operators.h"

#include "frontends/torch/capture/Rules.h"

#include <set>

using namespace aft;
using namespace aft::import;
using c10::IValue;

bool aft::import::isReplayable(const c10::OperatorHandle &op) {
  const std::string &name = op.schema().name();
  if (name.rfind("aten::", 0) != 0 && name.rfind("aft::", 0) != 0)
    return false;
  return capture::hasRule(name) ||
         op.hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd);
}

bool aft::import::isSizeQuestion(const std::string &name) {
  return name == "aten::sym_size" || name == "aten::sym_stride" || name == "aten::sym_numel" ||
         name == "aten::sym_storage_offset";
}

IValue aft::import::answerSize(const std::string &name, const std::vector<IValue> &arguments) {
  TORCH_CHECK(!arguments.empty() && arguments[0].isTensor(), "expected a tensor as argument");
  at::Tensor tensor = arguments[0].toTensor();
  if (name == "aten::sym_numel")
    return tensor.numel();
  if (name == "aten::sym_storage_offset")
    return tensor.storage_offset();
  bool strides = name == "aten::sym_stride";
  if (arguments.size() < 2)
    return strides ? tensor.strides().vec() : tensor.sizes().vec();
  TORCH_CHECK(arguments[1].isInt(), "expected a dimension as argument");
  return strides ? tensor.stride(arguments[1].toInt()) : tensor.size(arguments[1].toInt());
}

bool aft::import::isAssertion(const std::string &name) {
  static const std::set<std::string> names = {
      "aten::_assert_scalar", "aten::_assert_async", "aten::_assert_tensor_metadata",
      "aten::sym_constrain_range", "aten::sym_constrain_range_for_size"};
  return names.count(name) != 0;
}

void aft::import::checkAssertion(const std::vector<IValue> &arguments) {
  if (arguments.empty() || !arguments[0].isBool() || arguments[0].toBool())
    return;
  bool hasText = arguments.size() > 1 && arguments[1].isString();
  TORCH_CHECK(false, "the model refuses these sizes",
              hasText ? ": " + arguments[1].toStringRef() : std::string());
}
