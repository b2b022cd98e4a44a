//===- ExportedArguments.cpp - Arguments in .pt2 files as LibTorch's values ===//

#include "frontends/torch/import/ExportedArguments.h"

#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/jit_type.h>

#include <optional>

using namespace aft::import;
using at::Tensor;
using c10::IValue;

const IValue &Names::at(const std::string &name) const {
  auto found = values.find(name);
  TORCH_CHECK(found != values.end(), "nothing before has the name '", name, "'");
  return found->second;
}

at::ScalarType aft::import::scalarTypeOf(JsonValue number) {
  using Type = at::ScalarType;
  switch (number.integer()) {
  case 1:
    return Type::Byte;
  case 2:
    return Type::Char;
  case 3:
    return Type::Short;
  case 4:
    return Type::Int;
  case 5:
    return Type::Long;
  case 6:
    return Type::Half;
  case 7:
    return Type::Float;
  case 8:
    return Type::Double;
  case 12:
    return Type::Bool;
  case 13:
    return Type::BFloat16;
  default:
    break;
  }
  TORCH_CHECK(false, "element type number ", number.integer(), " is not supported");
}

//===----------------------------------------------------------------------===//
// As they stand in the file
//===----------------------------------------------------------------------===//

static IValue memoryFormatOf(JsonValue number) {
  using Format = c10::MemoryFormat;
  static constexpr Format formats[] = {Format::Contiguous, Format::ChannelsLast,
                                       Format::ChannelsLast3d, Format::Preserve};
  int64_t index = number.integer();
  TORCH_CHECK(index >= 1 && index <= 4, "memory format number ", index, " is not supported");
  return formats[index - 1];
}

static Tensor tensorNamed(JsonValue argument, const Names &names) {
  const std::string &name = argument.at("name").text();
  const IValue &value = names.at(name);
  TORCH_CHECK(value.isTensor(), "'", name, "' is not a tensor");
  return value.toTensor();
}

/// A number that is written out or has a name: SymIntArgument and the like.
static IValue numberOf(JsonValue argument, const Names &names) {
  const auto &[kind, content] = argument.alternative();
  if (kind == "as_name")
    return names.at(content.text());
  if (kind == "as_int")
    return content.integer();
  if (kind == "as_float")
    return content.number();
  TORCH_CHECK(kind == "as_bool", "a number of the kind '", kind, "' is not supported");
  return content.flag();
}

static std::optional<Tensor> optionalTensor(JsonValue argument, const Names &names) {
  const auto &[kind, content] = argument.alternative();
  if (kind == "as_none")
    return std::nullopt;
  TORCH_CHECK(kind == "as_tensor", "an argument of the kind '", kind, "' is not supported");
  return tensorNamed(content, names);
}

template <typename T, typename Read> static IValue listOf(JsonValue items, Read read) {
  c10::List<T> list;
  for (JsonValue item : items.items())
    list.push_back(read(item));
  return list;
}

static std::optional<IValue> listValueOf(const std::string &kind, JsonValue content,
                                         const Names &names) {
  if (kind == "as_tensors")
    return listOf<Tensor>(content, [&](JsonValue item) { return tensorNamed(item, names); });
  if (kind == "as_optional_tensors")
    return listOf<std::optional<Tensor>>(
        content, [&](JsonValue item) { return optionalTensor(item, names); });
  if (kind == "as_ints")
    return listOf<int64_t>(content, [](JsonValue item) { return item.integer(); });
  if (kind == "as_floats")
    return listOf<double>(content, [](JsonValue item) { return item.number(); });
  if (kind == "as_bools")
    return listOf<bool>(content, [](JsonValue item) { return item.flag(); });
  if (kind == "as_strings")
    return listOf<std::string>(content, [](JsonValue item) { return item.text(); });
  if (kind == "as_sym_ints")
    return listOf<int64_t>(content,
                           [&](JsonValue item) { return numberOf(item, names).toInt(); });
  if (kind == "as_sym_floats")
    return listOf<double>(content,
                          [&](JsonValue item) { return numberOf(item, names).toDouble(); });
  if (kind == "as_sym_bools")
    return listOf<bool>(content, [&](JsonValue item) { return numberOf(item, names).toBool(); });
  return std::nullopt;
}

IValue aft::import::valueOf(JsonValue argument, const Names &names) {
  const auto &[kind, content] = argument.alternative();
  if (kind == "as_none")
    return IValue();
  if (kind == "as_tensor")
    return tensorNamed(content, names);
  if (kind == "as_optional_tensor") {
    std::optional<Tensor> tensor = optionalTensor(content, names);
    return tensor ? IValue(*tensor) : IValue();
  }
  if (kind == "as_int")
    return content.integer();
  if (kind == "as_float")
    return content.number();
  if (kind == "as_bool")
    return content.flag();
  if (kind == "as_string")
    return content.text();
  if (kind == "as_sym_int" || kind == "as_sym_float" || kind == "as_sym_bool")
    return numberOf(content, names);
  if (kind == "as_scalar_type")
    return scalarTypeOf(content);
  if (kind == "as_memory_format")
    return memoryFormatOf(content);
  if (kind == "as_device") // what is compiled runs on the CPU, wherever the file was made
    return c10::Device(c10::kCPU);
  if (kind == "as_layout") {
    TORCH_CHECK(content.integer() == 7, "layout number ", content.integer(), " is not supported");
    return c10::kStrided;
  }
  std::optional<IValue> list = listValueOf(kind, content, names);
  TORCH_CHECK(list, "an argument of the kind '", kind, "' is not supported");
  return *list;
}

//===----------------------------------------------------------------------===//
// As an operator takes them
//===----------------------------------------------------------------------===//

static IValue emptyListOf(const c10::TypePtr &element) {
  if (element->kind() == c10::TypeKind::OptionalType)
    return c10::List<std::optional<Tensor>>();
  return c10::impl::GenericList(element);
}

/// A value as a parameter of type `type` takes it: LibTorch's own parser of
/// Python's arguments makes the same of them.
static IValue converted(IValue value, const c10::TypePtr &type, std::optional<int32_t> length) {
  using Kind = c10::TypeKind;
  if (value.isNone())
    return value;
  if (type->kind() == Kind::OptionalType)
    return converted(std::move(value), type->expectRef<c10::OptionalType>().getElementType(),
                     length);
  if (type->kind() == Kind::FloatType && value.isInt())
    return static_cast<double>(value.toInt());
  if (type->kind() != Kind::ListType)
    return value;
  c10::TypePtr element = type->expectRef<c10::ListType>().getElementType();
  if (!value.isList()) {
    if (!length)
      return value;
    TORCH_CHECK(*length >= 0 && *length <= 16, "a list of ", *length, " numbers is not supported");
    c10::impl::GenericList list(element);
    for (int32_t i = 0; i < *length; ++i)
      list.push_back(converted(value, element, std::nullopt));
    return list;
  }
  if (value.toListRef().empty())
    return emptyListOf(element);
  if (element->kind() == Kind::FloatType && value.isIntList()) {
    c10::List<double> list;
    for (int64_t item : value.toIntVector())
      list.push_back(static_cast<double>(item));
    return list;
  }
  if (element->kind() == Kind::OptionalType && value.isTensorList()) {
    c10::List<std::optional<Tensor>> list;
    for (const Tensor &item : value.toTensorVector())
      list.push_back(item);
    return list;
  }
  return value;
}

IValue aft::import::valueFor(const c10::Argument &parameter, JsonValue argument,
                             const Names &names) {
  return converted(valueOf(argument, names), parameter.type(), parameter.N());
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

void aft::import::bindResult(JsonValue output, const IValue &value, Names &names) {
  const auto &[kind, content] = output.alternative();
  if (kind == "as_tensors" || kind == "as_optional_tensors") {
    TORCH_CHECK(value.isList() && value.toListRef().size() == content.items().size(),
                "expected a list of ", content.items().size(), " results");
    for (size_t i = 0; i < content.items().size(); ++i) {
      JsonValue item = content.items()[i];
      if (kind == "as_tensors")
        names.set(item.at("name").text(), value.toListRef()[i]);
      else if (item.alternative().name == "as_tensor")
        names.set(item.alternative().value.at("name").text(), value.toListRef()[i]);
    }
    return;
  }
  if (kind == "as_tensor") {
    TORCH_CHECK(value.isTensor(), "expected a tensor as result");
    return names.set(content.at("name").text(), value);
  }
  if (kind == "as_optional_tensor")
    return bindResult(content, value, names);
  if (kind == "as_sym_int" || kind == "as_sym_float" || kind == "as_sym_bool") {
    if (content.alternative().name == "as_name")
      names.set(content.alternative().value.text(), value);
    return;
  }
  // A number that was the same for all inputs: nothing refers to it.
  TORCH_CHECK(kind == "as_none" || kind == "as_int" || kind == "as_float" || kind == "as_bool",
              "a result of the kind '", kind, "' is not supported");
}
