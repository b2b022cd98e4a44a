// RUN: rm -rf %t && aftc %s --target=cuda:sm_80 --f32-products=tf32 --compile-to=binary --dump-dir=%t > /dev/null
// RUN: FileCheck %s < %t/06-binary-device.ll
// RUN: FileCheck %s --check-prefix=PTX < %t/06-binary-device.ptx
// RUN: aftc %s --target=cuda:sm_80 --compile-to=binary | FileCheck %s --check-prefix=EXACT
// LLVM must not move what a warp does together to where only some of its threads are. Nothing
// of it is there without request.

// CHECK: call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.{{.*}} #[[TOGETHER:[0-9]+]]
// CHECK: call i32 @llvm.nvvm.f2tf32.rna
// CHECK: call { float, float, float, float } @llvm.nvvm.mma.m16n8k8.row.col.tf32({{.*}}) #[[TOGETHER]]
// CHECK: attributes #[[TOGETHER]] = { convergent
// PTX: cvt.rna.tf32.f32
// PTX: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
// EXACT: .visible .entry
// EXACT-NOT: tf32
// EXACT-NOT: mma.sync
func.func @main(%a: tensor<32x16xf32>, %b: tensor<64x16xf32>, %c: tensor<32x64xf32>) -> tensor<32x64xf32> {
  %p = linalg.matmul_transpose_b ins(%a, %b : tensor<32x16xf32>, tensor<64x16xf32>) outs(%c : tensor<32x64xf32>) -> tensor<32x64xf32>
  return %p : tensor<32x64xf32>
}
