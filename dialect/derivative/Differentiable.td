//===- Differentiable.td - What an operation says about its derivative ----===//

#ifndef AFT_DIFFERENTIABLE_TD
#define AFT_DIFFERENTIABLE_TD

include "mlir/IR/OpBase.td"

def DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let description = [{
    An operation on tensors whose derivative the compiler can write down.
    Operations of other dialects get it as an external model.
  }];
  let cppNamespace = "::aft";
  let methods = [
    InterfaceMethod<[{
        Builds the reverse-mode derivative: reads the gradients of the results
        from `adjoints` and adds to those of the operands. The operation may be
        replaced by a form of itself that saves more results. A failure has been
        reported as an error on the operation.
      }],
      "::llvm::LogicalResult", "buildDerivative",
      (ins "::mlir::OpBuilder &":$builder, "::aft::Adjoints &":$adjoints)>
  ];
}

#endif // AFT_DIFFERENTIABLE_TD
