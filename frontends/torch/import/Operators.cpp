//===- Operators.cpp - What a file may call -------------------------------===//

#include "frontends/torch/import/Operators.h"

#include "frontends/torch/capture/Rules.h"

#include <ATen/ScalarOps.h>

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

static bool isNumberForTensor(const IValue &value, const c10::Argument &parameter) {
  return (value.isInt() || value.isDouble() || value.isBool()) &&
         parameter.type()->kind() == c10::TypeKind::TensorType;
}

/// The form of an operator for numbers: add.Scalar for add.Tensor; nothing where
/// there is none with the same arguments.
static std::optional<c10::OperatorHandle> numberForm(const c10::OperatorHandle &op) {
  std::string overload = op.schema().overload_name();
  if (overload == "self_Tensor")
    overload = "self_int";
  else if (overload.rfind("Tensor", 0) == 0)
    overload.replace(0, 6, "Scalar");
  else
    return std::nullopt;
  auto other = c10::Dispatcher::singleton().findSchema({op.schema().name(), overload});
  const auto &parameters = op.schema().arguments();
  if (!other || other->schema().arguments().size() != parameters.size())
    return std::nullopt;
  for (size_t i = 0; i < parameters.size(); ++i)
    if (other->schema().arguments()[i].name() != parameters[i].name())
      return std::nullopt;
  return other;
}

c10::OperatorHandle aft::import::takeNumbers(const c10::OperatorHandle &op,
                                             torch::jit::Stack &arguments) {
  bool any = false, first = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    bool found = isNumberForTensor(arguments[i], op.schema().arguments()[i]);
    any |= found;
    first |= found && i == 0;
  }
  std::optional<c10::OperatorHandle> form = any && !first ? numberForm(op) : std::nullopt;
  if (!form)
    form = op;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!isNumberForTensor(arguments[i], form->schema().arguments()[i]))
      continue;
    at::Tensor wrapped = c10::scalar_to_tensor(arguments[i].toScalar());
    wrapped.unsafeGetTensorImpl()->set_wrapped_number(true);
    arguments[i] = wrapped;
  }
  return *form;
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
