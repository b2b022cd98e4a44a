// RUN: aft-opt %s -aft-prefix-symbols | FileCheck %s
// Functions of a program get names that no library has; what is only declared keeps its.

// CHECK: func.func private @memcpy(index) -> index
func.func private @memcpy(index) -> index
// CHECK: func.func private @aft.code.exp(%{{.*}}: index) -> index attributes {aft.kernel, other = "exp"}
func.func private @exp(%n: index) -> index attributes {aft.kernel, other = "exp"} {
  // CHECK: call @memcpy
  %m = call @memcpy(%n) : (index) -> index
  return %m : index
}
// CHECK: func.func @aft.code.aft.code.exp(
func.func @aft.code.exp(%n: index) -> index {
  // CHECK: call @aft.code.exp(
  %m = call @exp(%n) : (index) -> index
  // CHECK: constant @aft.code.aft.code.exp :
  %f = constant @aft.code.exp : (index) -> index
  %k = call_indirect %f(%m) : (index) -> index
  return %k : index
}
// CHECK: aft.launch @aft.code.exp
func.func @malloc(%x: memref<4xf32>) {
  aft.launch @exp ins() outs(%x) : (memref<4xf32>) -> ()
  return
}
