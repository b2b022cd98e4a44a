//===- ExtentReader.cpp - Extents of tensors and memrefs as expressions ---===//

#include "compiler/report/ExtentReader.h"

#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace aft;

ExtentReader::ExtentReader(Block &entryBlock) : block(entryBlock) {
  unsigned count = 0;
  for (Type type : block.getArgumentTypes()) {
    firstSymbol.push_back(count);
    if (auto shaped = dyn_cast<ShapedType>(type))
      count += shaped.getRank();
  }
}

Expression ExtentReader::elements(Value shaped) {
  Expression product = 1;
  for (int64_t dim = 0; dim < cast<ShapedType>(shaped.getType()).getRank(); ++dim)
    product = product * extent(shaped, dim);
  return product;
}

Expression ExtentReader::extent(Value shaped, int64_t dim) {
  auto type = cast<ShapedType>(shaped.getType());
  if (dim >= type.getRank())
    return {};
  if (!type.isDynamicDim(dim))
    return type.getDimSize(dim);
  if (auto argument = dyn_cast<BlockArgument>(shaped)) {
    if (argument.getOwner() != &block)
      return {};
    return Expression::symbol(firstSymbol[argument.getArgNumber()] + dim);
  }
  return readExtent(cast<OpResult>(shaped), dim);
}

/// The dynamic size of a dimension where `sizes` holds those of all dynamic ones.
static Value dynamicSize(ShapedType type, ValueRange sizes, int64_t dim) {
  return sizes[type.getDynamicDimIndex(dim)];
}

Expression ExtentReader::readExtent(OpResult shaped, int64_t dim) {
  auto type = cast<ShapedType>(shaped.getType());
  return llvm::TypeSwitch<Operation *, Expression>(shaped.getOwner())
      .Case<tensor::EmptyOp>(
          [&](auto op) { return index(dynamicSize(type, op.getDynamicSizes(), dim)); })
      .Case<memref::ViewOp>([&](auto op) { return index(dynamicSize(type, op.getSizes(), dim)); })
      .Case<memref::ReinterpretCastOp>([&](auto op) { return index(op.getMixedSizes()[dim]); })
      .Case<tensor::CastOp, memref::CastOp>([&](auto op) { return extent(op->getOperand(0), dim); })
      .Case<tensor::ExtractSliceOp>([&](tensor::ExtractSliceOp op) {
        llvm::SmallBitVector dropped = op.getDroppedDims();
        for (auto [source, size] : llvm::enumerate(op.getMixedSizes()))
          if (!dropped.test(source) && dim-- == 0)
            return index(size);
        return Expression();
      })
      .Case<tensor::CollapseShapeOp>([&](tensor::CollapseShapeOp op) {
        Expression product = 1;
        const ReassociationIndices group = op.getReassociationIndices()[dim];
        for (int64_t source : group)
          product = product * extent(op.getSrc(), source);
        return product;
      })
      .Case<tensor::ExpandShapeOp>([&](tensor::ExpandShapeOp op) {
        return index(dynamicSize(type, op.getOutputShape(), dim));
      })
      .Case<DestinationStyleOpInterface>([&](DestinationStyleOpInterface op) {
        return extent(op.getDpsInits()[shaped.getResultNumber()], dim);
      })
      .Default([&](Operation *op) {
        // Destinations of aft operations: the last operands, one per result.
        if (!isa<AFTDialect>(op->getDialect()) || op->getNumOperands() < op->getNumResults())
          return Expression();
        unsigned first = op->getNumOperands() - op->getNumResults();
        return extent(op->getOperand(first + shaped.getResultNumber()), dim);
      });
}

Expression ExtentReader::index(OpFoldResult value) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return *constant;
  return index(cast<Value>(value));
}

Expression ExtentReader::index(Value value) {
  if (auto it = known.find(value); it != known.end())
    return it->second;
  Expression read = readIndex(value);
  known[value] = read;
  return read;
}

Expression ExtentReader::readIndex(Value value) {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return *constant;
  auto binary = [&](Expression::Kind kind) {
    Operation *op = value.getDefiningOp();
    return Expression::make(kind, index(op->getOperand(0)), index(op->getOperand(1)));
  };
  using Kind = Expression::Kind;
  if (!value.getDefiningOp())
    return {};
  return llvm::TypeSwitch<Operation *, Expression>(value.getDefiningOp())
      .Case<tensor::DimOp, memref::DimOp>([&](auto op) {
        std::optional<int64_t> dim = op.getConstantIndex();
        return dim ? extent(op.getSource(), *dim) : Expression();
      })
      .Case<arith::IndexCastOp>([&](auto op) { return index(op.getIn()); })
      .Case<arith::AddIOp>([&](auto) { return binary(Kind::Add); })
      .Case<arith::SubIOp>([&](auto op) { return index(op.getLhs()) - index(op.getRhs()); })
      .Case<arith::MulIOp>([&](auto) { return binary(Kind::Multiply); })
      .Case<arith::DivSIOp, arith::DivUIOp, arith::FloorDivSIOp>(
          [&](auto) { return binary(Kind::FloorDivide); })
      .Case<arith::CeilDivSIOp, arith::CeilDivUIOp>([&](auto) { return binary(Kind::CeilDivide); })
      .Case<arith::RemSIOp, arith::RemUIOp>([&](auto) { return binary(Kind::Modulo); })
      .Case<arith::MinSIOp, arith::MinUIOp>([&](auto) { return binary(Kind::Min); })
      .Case<arith::MaxSIOp, arith::MaxUIOp>([&](auto) { return binary(Kind::Max); })
      .Default([](Operation *) { return Expression(); });
}
