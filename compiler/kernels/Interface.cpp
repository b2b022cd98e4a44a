//===- Interface.cpp - What the host functions tell the JIT about entries -===//

#include "compiler/kernels/Interface.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace aft;

bool aft::isInterfaceElement(Type element) {
  if (element.isF32() || element.isF64() || element.isBF16())
    return true;
  return element.isSignlessInteger(1) || element.isSignlessInteger(8) ||
         element.isSignlessInteger(32) || element.isSignlessInteger(64);
}

static FailureOr<RankedTensorType> interfaceType(func::FuncOp function,
                                                 StringRef what, unsigned index,
                                                 Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (tensor && isInterfaceElement(tensor.getElementType()) &&
      !tensor.getEncoding())
    return tensor;
  return function.emitOpError()
         << what << " " << index
         << " must be a ranked tensor of f32, f64, bf16, i1, i8, i32 or "
            "i64, found "
         << type;
}

static LogicalResult checkAlias(func::FuncOp function,
                                const EntryInterface &interface, unsigned index,
                                int64_t alias) {
  int64_t count = interface.inputs.size();
  if (alias < 0 || alias >= count)
    return function.emitOpError()
           << "result " << index << " aliases argument " << alias
           << ", but there are " << count << " arguments";
  Type expected = interface.inputs[alias].type,
       found = function.getResultTypes()[index];
  if (expected != found)
    return function.emitOpError()
           << "result " << index << " aliases argument " << alias
           << " and must have its type " << expected << ", found " << found;
  for (auto [other, value] : llvm::enumerate(interface.outputs))
    if (value.alias == alias)
      return function.emitOpError() << "results " << other << " and " << index
                                    << " both alias argument " << alias;
  return success();
}

/// What aft.limits says of an argument; null where there is none.
static FailureOr<DenseI64ArrayAttr> limitsOf(func::FuncOp function, unsigned index,
                                             RankedTensorType type) {
  Attribute attribute = function.getArgAttr(index, limitsAttrName);
  auto limits = dyn_cast_or_null<DenseI64ArrayAttr>(attribute);
  if (attribute && (!limits || limits.size() != 2 * type.getRank()))
    return function.emitOpError()
           << "argument " << index << ": '" << limitsAttrName
           << "' must be an array<i64> of two numbers per extent, found " << attribute << " on "
           << type;
  for (int64_t i = 0; limits && i < limits.size(); i += 2)
    if (limits[i] < 0 || limits[i] > limits[i + 1])
      return function.emitOpError()
             << "argument " << index << ": '" << limitsAttrName
             << "' must have a least extent from 0 to the most, found " << limits[i] << " and "
             << limits[i + 1] << " for dimension " << i / 2;
  return limits;
}

FailureOr<EntryInterface> aft::interfaceOf(func::FuncOp function) {
  EntryInterface interface;
  for (auto [index, type] : llvm::enumerate(function.getArgumentTypes())) {
    FailureOr<RankedTensorType> tensor =
        interfaceType(function, "argument", index, type);
    if (failed(tensor))
      return failure();
    FailureOr<DenseI64ArrayAttr> limits = limitsOf(function, index, *tensor);
    if (failed(limits))
      return failure();
    auto name = function.getArgAttrOfType<StringAttr>(index, nameAttrName);
    interface.inputs.push_back({name ? name.str() : "", *tensor, -1, *limits});
  }
  for (auto [index, type] : llvm::enumerate(function.getResultTypes())) {
    FailureOr<RankedTensorType> tensor =
        interfaceType(function, "result", index, type);
    if (failed(tensor))
      return failure();
    auto name = function.getResultAttrOfType<StringAttr>(index, nameAttrName);
    auto alias =
        function.getResultAttrOfType<IntegerAttr>(index, aliasAttrName);
    if (alias && failed(checkAlias(function, interface, index, alias.getInt())))
      return failure();
    interface.outputs.push_back(
        {name ? name.str() : "", *tensor, alias ? alias.getInt() : -1});
  }
  return interface;
}

static DictionaryAttr toAttribute(Builder &builder,
                                  const InterfaceValue &value) {
  SmallVector<NamedAttribute> entries;
  if (!value.name.empty())
    entries.push_back(
        builder.getNamedAttr("name", builder.getStringAttr(value.name)));
  if (value.alias >= 0)
    entries.push_back(
        builder.getNamedAttr("alias", builder.getI64IntegerAttr(value.alias)));
  if (value.limits)
    entries.push_back(builder.getNamedAttr("limits", value.limits));
  entries.push_back(builder.getNamedAttr("type", TypeAttr::get(value.type)));
  return builder.getDictionaryAttr(entries);
}

void aft::writeInterface(func::FuncOp entry, const EntryInterface &interface) {
  Builder builder(entry.getContext());
  auto list = [&](ArrayRef<InterfaceValue> values) {
    SmallVector<Attribute> attributes;
    for (const InterfaceValue &value : values)
      attributes.push_back(toAttribute(builder, value));
    return builder.getArrayAttr(attributes);
  };
  entry->setAttr(
      interfaceAttrName,
      builder.getDictionaryAttr(
          {builder.getNamedAttr("inputs", list(interface.inputs)),
           builder.getNamedAttr("outputs", list(interface.outputs))}));
}

static LogicalResult fromAttribute(DictionaryAttr interface, StringRef key,
                                   SmallVectorImpl<InterfaceValue> &values) {
  auto list = interface.getAs<ArrayAttr>(key);
  if (!list)
    return failure();
  for (Attribute attribute : list) {
    auto entry = dyn_cast<DictionaryAttr>(attribute);
    auto type = entry ? entry.getAs<TypeAttr>("type") : TypeAttr();
    auto tensor =
        type ? dyn_cast<RankedTensorType>(type.getValue()) : RankedTensorType();
    if (!tensor)
      return failure();
    auto name = entry.getAs<StringAttr>("name");
    auto alias = entry.getAs<IntegerAttr>("alias");
    auto limits = entry.getAs<DenseI64ArrayAttr>("limits");
    if (limits && limits.size() != 2 * tensor.getRank())
      return failure();
    values.push_back(
        {name ? name.str() : "", tensor, alias ? alias.getInt() : -1, limits});
  }
  return success();
}

FailureOr<EntryInterface> aft::readInterface(func::FuncOp entry) {
  auto attribute = entry->getAttrOfType<DictionaryAttr>(interfaceAttrName);
  EntryInterface interface;
  if (attribute &&
      succeeded(fromAttribute(attribute, "inputs", interface.inputs)) &&
      succeeded(fromAttribute(attribute, "outputs", interface.outputs)))
    return interface;
  return entry.emitOpError() << "must have the attribute '" << interfaceAttrName
                             << "' with the lists 'inputs' and 'outputs'";
}

SmallVector<std::string> aft::readChecks(ModuleOp module) {
  SmallVector<std::string> messages;
  if (auto list = module->getAttrOfType<ArrayAttr>(checksAttrName))
    for (StringAttr message : list.getAsRange<StringAttr>())
      messages.push_back(message.str());
  return messages;
}

SmallVector<func::FuncOp> aft::entriesOf(ModuleOp module) {
  SmallVector<func::FuncOp> entries;
  for (func::FuncOp function : module.getOps<func::FuncOp>())
    if (function->hasAttr(entryAttrName))
      entries.push_back(function);
  return entries;
}

func::FuncOp aft::planOf(func::FuncOp entry) {
  auto module = entry->getParentOfType<ModuleOp>();
  return module.lookupSymbol<func::FuncOp>(
      (entry.getName() + planSuffix).str());
}
