//===- ColumnSums.cpp - Sums that a library gives beside a product --------===//

#include "compiler/kernels/ProductForm.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace aft;

/// Whether a body is `sum + element`, widened as needed.
static bool addsElement(linalg::GenericOp op) {
  Block &body = *op.getBody();
  auto add = body.getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!add)
    return false;
  auto isElement = [&](Value value) {
    if (auto wide = value.getDefiningOp<arith::ExtFOp>())
      value = wide.getIn();
    return value == body.getArgument(0);
  };
  Value sum = body.getArgument(1);
  return (add.getLhs() == sum && isElement(add.getRhs())) ||
         (add.getRhs() == sum && isElement(add.getLhs()));
}

std::optional<ColumnSumsForm> aft::matchColumnSums(func::FuncOp kernel) {
  Operation *last = kernel.front().getTerminator();
  auto sums = last->getNumOperands() == 1 ? last->getOperand(0).getDefiningOp<linalg::GenericOp>()
                                          : linalg::GenericOp();
  auto fill = sums && sums.getNumDpsInits() == 1
                  ? sums.getDpsInits()[0].getDefiningOp<linalg::FillOp>()
                  : linalg::FillOp();
  int operations = 0;
  kernel.walk([&](linalg::LinalgOp) { ++operations; });
  if (!fill || operations != 2 || !matchPattern(fill.value(), m_AnyZeroFloat()) ||
      sums.getNumDpsInputs() != 1 || sums.getNumLoops() != 2 || !addsElement(sums))
    return std::nullopt;
  OpOperand &input = *sums.getDpsInputOperand(0), &init = *sums.getDpsInitOperand(0);
  auto matrix = dyn_cast<BlockArgument>(input.get());
  auto written = dyn_cast<BlockArgument>(fill.getDpsInits()[0]);
  AffineMap map = sums.getMatchingIndexingMap(&init);
  bool alongRows = sums.getIteratorTypesArray()[0] == utils::IteratorType::reduction &&
                   map.getNumResults() == 1 &&
                   map.getResult(0) == getAffineDimExpr(1, kernel.getContext()) &&
                   sums.getMatchingIndexingMap(&input).isIdentity();
  if (!matrix || !written || !alongRows || matrix.getOwner() != &kernel.front() ||
      written.getOwner() != &kernel.front())
    return std::nullopt;
  ColumnSumsForm form;
  form.matrix = matrix.getArgNumber(), form.sums = written.getArgNumber();
  form.rows = extentPlace(kernel, form.matrix, 0);
  form.columns = form.rows + 1;
  form.type = getElementTypeOrSelf(matrix.getType());
  form.resultType = getElementTypeOrSelf(written.getType());
  return form;
}

DictionaryAttr aft::attributeOf(const ColumnSumsForm &form, MLIRContext *context) {
  Builder b(context);
  return b.getDictionaryAttr(
      {b.getNamedAttr("operands", b.getDenseI64ArrayAttr({form.matrix, form.sums})),
       b.getNamedAttr("extents", b.getDenseI64ArrayAttr({form.rows, form.columns})),
       b.getNamedAttr("type", TypeAttr::get(form.type)),
       b.getNamedAttr("result_type", TypeAttr::get(form.resultType))});
}

std::optional<ColumnSumsForm> aft::columnSumsOf(Operation *kernel) {
  auto attribute = kernel->getAttrOfType<DictionaryAttr>(columnSumsAttrName);
  if (!attribute)
    return std::nullopt;
  auto operands = attribute.getAs<DenseI64ArrayAttr>("operands"),
       extents = attribute.getAs<DenseI64ArrayAttr>("extents");
  auto type = attribute.getAs<TypeAttr>("type"),
       resultType = attribute.getAs<TypeAttr>("result_type");
  if (!operands || operands.size() != 2 || !extents || extents.size() != 2 || !type || !resultType)
    return std::nullopt;
  return ColumnSumsForm{operands[0], operands[1],     extents[0],
                        extents[1],  type.getValue(), resultType.getValue()};
}
