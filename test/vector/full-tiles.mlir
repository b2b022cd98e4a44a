// RUN: aftc %s --mcpu=sapphirerapids --compile-to=vector -o - | FileCheck %s
// RUN: aftc %s --mcpu=sapphirerapids --bf16-products=tiles -o %t.so
// RUN: aftc %s --mcpu=sapphirerapids --dump-dir=%t
// RUN: FileCheck %s --check-prefix=CODE < %t/06-binary-kernel_0_full.s
// The products of aft.full in the tile registers of a CPU with AMX: 32 queries, 16 channels
// of numerators and denominators.

// Weights lie by query and pair of keys, keys by pair, both numbers side by side, and sums as
// tiles are stored.
// CHECK-LABEL: func.func private @kernel_0_full
// CHECK-DAG: %[[WEIGHTS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<32x272xi32>
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<2x256x32xi32>
// CHECK-DAG: memref.alloca() {alignment = 64 : i64} : memref<2x512x32xf32>
// CHECK-DAG: %[[HIGHEST:.*]] = arith.constant dense<-2147450880> : vector<16xi32>
// CHECK: llvm.call_intrinsic "llvm.x86.ldtilecfg"
// Exponentials are as precise as bf16.
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"
// Sums begin as zeros or as those of the keys before.
// CHECK: arith.select %{{.*}}, %{{.*}}, %{{.*}} : i64
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tileloadd64"
// CHECK: scf.for {{.*}} step %c16
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tdpbf16ps"
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tilestored64"
// On the diagonal infinities and NaNs are looked for first.
// CHECK: arith.andi %{{.*}}, %[[HIGHEST]] : vector<16xi32>
// CHECK: vector.reduction <and>
// CHECK-COUNT-4: llvm.call_intrinsic "llvm.x86.tdpbf16ps"
// CHECK: llvm.call_intrinsic "llvm.x86.tilerelease"

// CODE: ldtilecfg
// CODE-NOT: vdpbf16ps
// CODE-COUNT-8: tdpbf16ps

func.func @main(%q: tensor<?x?x32xbf16>, %k: tensor<?x?x32xbf16>, %v: tensor<?x?x32xbf16>,
                %w: tensor<?x?xbf16>) -> tensor<?x?x32xbf16> {
  %y = aft.full %q, %k, %v, %w causal : (tensor<?x?x32xbf16>, tensor<?x?x32xbf16>,
      tensor<?x?x32xbf16>, tensor<?x?xbf16>) -> tensor<?x?x32xbf16>
  return %y : tensor<?x?x32xbf16>
}
