//===- AFTDialect.td - The aft dialect and its attributes -----------------===//

#ifndef AFT_DIALECT_TD
#define AFT_DIALECT_TD

include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def AFT_Dialect : Dialect {
  let name = "aft";
  let cppNamespace = "::aft";
  let summary = "Operations of attention-free transformers";
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
  let hasCanonicalizer = 1;
  let description = [{
    The four AFT mixers (Zhai et al., arXiv 2105.14103), their derivatives,
    their online forms that carry a running maximum, numerator and denominator,
    and the few operations a transformer needs that upstream dialects lack.
    Everything else of a program stays in linalg, tensor, arith and math.

    Every operation has a value form on tensors. From the tile phase on it also
    takes destinations (`outs(...)`), and after bufferisation it stands on
    memrefs with destinations and no results.
  }];
}

def AFT_Gate : I32EnumAttr<"Gate", "function applied to the query", [
    I32EnumAttrCase<"sigmoid", 0>, I32EnumAttrCase<"relu", 1>,
    I32EnumAttrCase<"tanh", 2>, I32EnumAttrCase<"none", 3>]> {
  let cppNamespace = "::aft";
}

#endif // AFT_DIALECT_TD
