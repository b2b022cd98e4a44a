// RUN: rm -rf %t && aftc %s --target=cuda:sm_80 --compile-to=binary --dump-dir=%t > /dev/null
// RUN: FileCheck %s < %t/06-binary-device.ll
// LLVM must not move what a warp does together to where only some of its threads are.

// CHECK: call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.{{.*}} #[[TOGETHER:[0-9]+]]
// CHECK: call { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.bf16({{.*}}) #[[TOGETHER]]
// CHECK: attributes #[[TOGETHER]] = { convergent
func.func @main(%a: tensor<32x16xbf16>, %b: tensor<64x16xbf16>, %c: tensor<32x64xf32>) -> tensor<32x64xf32> {
  %p = linalg.matmul_transpose_b ins(%a, %b : tensor<32x16xbf16>, tensor<64x16xbf16>) outs(%c : tensor<32x64xf32>) -> tensor<32x64xf32>
  return %p : tensor<32x64xf32>
}
