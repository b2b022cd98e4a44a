// RUN: aftc %s --mcpu=znver4 --compile-to=vector -o - | FileCheck %s
// RUN: aftc %s --mcpu=znver4 --bf16-products=f32 --compile-to=vector -o - | FileCheck %s --check-prefix=F32
// RUN: aftc %s --mcpu=skylake-avx512 --compile-to=vector -o - | FileCheck %s --check-prefix=F32
// RUN: aftc %s --mcpu=haswell --bf16-products=pairs --compile-to=vector -o - | FileCheck %s --check-prefix=EXPANDED
// The products of aft.full in pairs of bf16 where the CPU has vdpbf16ps, else in f32.

// Scratch: the weights of eight queries for 256 pairs of keys, and these keys, also values and
// keys as they are in memory.
// CHECK-LABEL: func.func private @kernel_0_full
// CHECK-DAG: %[[WEIGHTS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<8x272xi32>
// CHECK-DAG: %[[PANEL:.*]] = memref.alloca() {alignment = 64 : i64} : memref<2x256x32xi32>
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<4x513x32xbf16>
// CHECK-DAG: %[[HALF:.*]] = arith.constant dense<65535> : vector<16xi32>
// Exponentials are as precise as bf16. Two keys of a channel are one pair.
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.mask.reduce.ps.512"
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"
// CHECK: vector.interleave %{{.*}}, %{{.*}} : vector<16xbf16>
// CHECK: vector.bitcast %{{.*}} : vector<32xbf16> to vector<16xi32>
// CHECK: vector.store %{{.*}}, %[[PANEL]]
// So are two weights that follow each other.
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"
// CHECK: vector.bitcast %{{.*}} : vector<16xbf16> to vector<8xi32>
// CHECK: vector.store %{{.*}}, %[[WEIGHTS]]
// The constants of exponentials leave the registers before sixteen sums fill them.
// CHECK: llvm.inline_asm has_side_effects "", "~{zmm0},{{.*}},~{zmm31}" : () -> ()
// CHECK: scf.for {{.*}} -> ({{(vector<16xf32>, ){15}vector<16xf32>}})
// CHECK: memref.load %[[WEIGHTS]]
// CHECK-COUNT-16: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// CHECK: scf.yield
// Of the pair on the diagonal a query sees the first key alone.
// CHECK: arith.andi %{{.*}}, %[[HALF]] : vector<16xi32>
// CHECK: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// Ratios and the gate without a division.
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.rcp14.ps.512"
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.rcp14.ps.512"
// CHECK-NOT: arith.divf {{.*}} : vector<16xf32>

// F32-LABEL: func.func private @kernel_0_full
// F32-NOT: memref<{{[0-9x]+}}xi32>
// F32-NOT: llvm.
// F32: vector.load {{.*}} : memref<2x256x32xf32>

// EXPANDED-LABEL: func.func private @kernel_0_full
// EXPANDED-NOT: llvm.call
// EXPANDED: arith.constant dense<-65536> : vector<8xi32>
// EXPANDED-NOT: llvm.call
// With sixteen registers the constants leave them before twelve sums come.
// EXPANDED: llvm.inline_asm has_side_effects "", "~{ymm0},{{.*}},~{ymm15}" : () -> ()
// EXPANDED: scf.for {{.*}} -> ({{(vector<8xf32>, ){11}vector<8xf32>}})
// EXPANDED-NOT: llvm.call
// EXPANDED: vector.load {{.*}} : memref<4x256x16xi32>
func.func @main(%q: tensor<2x?x32xbf16>, %k: tensor<2x?x32xbf16>, %v: tensor<2x?x32xbf16>, %w: tensor<?x?xbf16>) -> tensor<2x?x32xbf16> {
  %y = aft.full %q, %k, %v, %w causal : (tensor<2x?x32xbf16>, tensor<2x?x32xbf16>, tensor<2x?x32xbf16>, tensor<?x?xbf16>) -> tensor<2x?x32xbf16>
  return %y : tensor<2x?x32xbf16>
}
