// RUN: aft-opt %s -split-input-file -aft-lower-warps | FileCheck %s

// Copies go from global to shared memory.
// CHECK-LABEL: func.func @copy(
// CHECK: %[[FROM:.*]] = llvm.getelementptr
// CHECK: %[[TO:.*]] = llvm.getelementptr
// CHECK-DAG: %[[SHARED:.*]] = llvm.addrspacecast %[[TO]] : !llvm.ptr to !llvm.ptr<3>
// CHECK-DAG: %[[GLOBAL:.*]] = llvm.addrspacecast %[[FROM]] : !llvm.ptr to !llvm.ptr<1>
// CHECK: nvvm.cp.async.shared.global %[[SHARED]], %[[GLOBAL]], 16, cache = cg
// CHECK: nvvm.cp.async.commit.group
// CHECK: nvvm.cp.async.wait.group 1
// CHECK-NOT: aft_gpu
func.func @copy(%from: memref<?x64xbf16>, %to: memref<2x32x72xbf16>, %i: index) {
  aft_gpu.copy_chunk %from[%i, %i] to %to[%i, %i, %i] : memref<?x64xbf16> to memref<2x32x72xbf16>
  aft_gpu.copy_fence
  aft_gpu.copy_wait 1
  return
}

// -----

// A as it lies, B turned while it is loaded: two fragments of one step.
// CHECK-LABEL: func.func @product(
// CHECK: %[[A:.*]] = nvvm.ldmatrix %{{.*}} {layout = #nvvm.mma_layout<row>, num = 4 : i32} : (!llvm.ptr<3>)
// CHECK: %[[A0:.*]] = llvm.extractvalue %[[A]][0]
// CHECK: %[[A1:.*]] = llvm.extractvalue %[[A]][1]
// CHECK: %[[A2:.*]] = llvm.extractvalue %[[A]][2]
// CHECK: %[[A3:.*]] = llvm.extractvalue %[[A]][3]
// CHECK: %[[B:.*]] = nvvm.ldmatrix %{{.*}} {layout = #nvvm.mma_layout<col>, num = 4 : i32} : (!llvm.ptr<3>)
// CHECK: %[[B0:.*]] = llvm.extractvalue %[[B]][0]
// CHECK: %[[B1:.*]] = llvm.extractvalue %[[B]][1]
// CHECK: %[[B2:.*]] = llvm.extractvalue %[[B]][2]
// CHECK: %[[B3:.*]] = llvm.extractvalue %[[B]][3]
// CHECK: llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(%[[A0]], %[[A1]], %[[A2]], %[[A3]], %[[B0]], %[[B1]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}})
// CHECK: llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(%[[A0]], %[[A1]], %[[A2]], %[[A3]], %[[B2]], %[[B3]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}})
// CHECK-NOT: call_intrinsic
func.func @product(%a: memref<16x24xbf16>, %b: memref<16x24xbf16>, %c: vector<4xf32>, %thread: index, %i: index) -> (vector<4xf32>, vector<4xf32>) {
  %d:2 = aft_gpu.warp_product %a[%i, %i], %b[%i, %i] to (%c, %c) in %thread {rows = 16, columns = 16, depth = 16}
    : memref<16x24xbf16>, memref<16x24xbf16>, vector<4xf32>, vector<4xf32>
  return %d#0, %d#1 : vector<4xf32>, vector<4xf32>
}

// -----

// CHECK-LABEL: func.func @transposed(
// CHECK: nvvm.ldmatrix %{{.*}} {layout = #nvvm.mma_layout<col>, num = 4 : i32}
// CHECK: nvvm.ldmatrix %{{.*}} {layout = #nvvm.mma_layout<row>, num = 4 : i32}
func.func @transposed(%a: memref<16x24xbf16>, %b: memref<16x24xbf16>, %c: vector<4xf32>, %thread: index, %i: index) -> (vector<4xf32>, vector<4xf32>) {
  %d:2 = aft_gpu.warp_product %a[%i, %i], %b[%i, %i] to (%c, %c) in %thread {rows = 16, columns = 16, depth = 16, transposedA, transposedB}
    : memref<16x24xbf16>, memref<16x24xbf16>, vector<4xf32>, vector<4xf32>
  return %d#0, %d#1 : vector<4xf32>, vector<4xf32>
}

// -----

// f32: A and a B that goes along the steps are loaded four steps at once; all are rounded to
// TF32; two instructions for 16 steps.
// CHECK-LABEL: func.func @tf32(
// CHECK: %[[A:.*]] = nvvm.ldmatrix %{{.*}} {layout = #nvvm.mma_layout<row>, num = 4 : i32} : (!llvm.ptr<3>)
// CHECK: %[[A0:.*]] = llvm.extractvalue %[[A]][0]
// CHECK: %[[WIDE:.*]] = llvm.bitcast %[[A0]] : i32 to f32
// CHECK: %[[R0:.*]] = llvm.call_intrinsic "llvm.nvvm.f2tf32.rna"(%[[WIDE]]) : (f32) -> i32
// CHECK-COUNT-3: "llvm.nvvm.f2tf32.rna"
// CHECK: nvvm.ldmatrix %{{.*}} {layout = #nvvm.mma_layout<row>, num = 4 : i32}
// CHECK-COUNT-4: "llvm.nvvm.f2tf32.rna"
// CHECK: llvm.call_intrinsic "llvm.nvvm.mma.m16n8k8.row.col.tf32"(%[[R0]], %{{.*}})
// CHECK-COUNT-3: "llvm.nvvm.mma.m16n8k8.row.col.tf32"
// CHECK-NOT: call_intrinsic
func.func @tf32(%a: memref<16x20xf32>, %b: memref<16x20xf32>, %c: vector<4xf32>, %thread: index, %i: index) -> (vector<4xf32>, vector<4xf32>) {
  %d:2 = aft_gpu.warp_product %a[%i, %i], %b[%i, %i] to (%c, %c) in %thread {rows = 16, columns = 16, depth = 16, transposedB}
    : memref<16x20xf32>, memref<16x20xf32>, vector<4xf32>, vector<4xf32>
  return %d#0, %d#1 : vector<4xf32>, vector<4xf32>
}

// -----

// Numbers of 32 bits are not turned by ldmatrix: those that lie across come one by one.
// CHECK-LABEL: func.func @across(
// CHECK-NOT: ldmatrix
// CHECK-COUNT-4: llvm.load %{{.*}} : !llvm.ptr<3> -> i32
// CHECK-COUNT-4: "llvm.nvvm.f2tf32.rna"
// CHECK-COUNT-4: llvm.load %{{.*}} : !llvm.ptr<3> -> i32
// CHECK-COUNT-4: "llvm.nvvm.f2tf32.rna"
// CHECK: "llvm.nvvm.mma.m16n8k8.row.col.tf32"
func.func @across(%a: memref<16x24xf32>, %b: memref<16x24xf32>, %c: vector<4xf32>, %thread: index, %i: index) -> (vector<4xf32>, vector<4xf32>) {
  %d:2 = aft_gpu.warp_product %a[%i, %i], %b[%i, %i] to (%c, %c) in %thread {rows = 16, columns = 16, depth = 16, transposedA}
    : memref<16x24xf32>, memref<16x24xf32>, vector<4xf32>, vector<4xf32>
  return %d#0, %d#1 : vector<4xf32>, vector<4xf32>
}

// -----

// A number of each thread, combined with those of threads 16, 8, 4, 2 and 1 away.
// CHECK-LABEL: func.func @reduce(
// CHECK-SAME: %[[V:.*]]: f32)
// CHECK-DAG: %[[ALL:.*]] = arith.constant -1 : i32
// CHECK-DAG: %[[FAR:.*]] = arith.constant 16 : i32
// CHECK-DAG: %[[WARP:.*]] = arith.constant 31 : i32
// CHECK: %[[OTHER:.*]] = nvvm.shfl.sync bfly %[[ALL]], %[[V]], %[[FAR]], %[[WARP]] : f32 -> f32
// CHECK: %[[SUM:.*]] = arith.addf %[[V]], %[[OTHER]] : f32
// CHECK: %[[HALF:.*]] = arith.constant 8 : i32
// CHECK: nvvm.shfl.sync bfly %{{.*}}, %[[SUM]], %[[HALF]]
// CHECK: arith.constant 4 : i32
// CHECK: nvvm.shfl.sync bfly
// CHECK: arith.constant 2 : i32
// CHECK: nvvm.shfl.sync bfly
// CHECK: arith.constant 1 : i32
// CHECK: nvvm.shfl.sync bfly
// CHECK: arith.addf
// CHECK-NOT: shfl
// CHECK: return
func.func @reduce(%v: f32) -> f32 {
  %s = aft_gpu.warp_reduce <add>, %v {lanes = 32} : f32
  return %s : f32
}

// -----

// Groups of threads whose numbers differ by 8: their maximum is one instruction.
// CHECK-LABEL: func.func @strided(
// CHECK: arith.constant 16 : i32
// CHECK: nvvm.shfl.sync bfly
// CHECK: llvm.intr.maximum
// CHECK: arith.constant 8 : i32
// CHECK: nvvm.shfl.sync bfly
// CHECK: llvm.intr.maximum
// CHECK-NOT: shfl
// CHECK: return
func.func @strided(%v: f32) -> f32 {
  %s = aft_gpu.warp_reduce <maximumf>, %v {lanes = 4, stride = 8} : f32
  return %s : f32
}

// -----

// Shuffles move 32 bits: two for 64, and what has fewer is widened.
// CHECK-LABEL: func.func @types(
// CHECK-COUNT-2: nvvm.shfl.sync bfly {{.*}} : i32 -> i32
// CHECK: arith.addf {{.*}} : f64
// CHECK-COUNT-2: nvvm.shfl.sync bfly {{.*}} : i32 -> i32
// CHECK: arith.addi {{.*}} : index
// CHECK: arith.extui {{.*}} : i16 to i32
// CHECK: nvvm.shfl.sync bfly {{.*}} : i32 -> i32
// CHECK: arith.trunci {{.*}} : i32 to i16
// CHECK: arith.addf {{.*}} : bf16
// CHECK: arith.extui {{.*}} : i1 to i32
// CHECK: nvvm.shfl.sync bfly {{.*}} : i32 -> i32
// CHECK: arith.ori {{.*}} : i1
// CHECK-NOT: shfl
func.func @types(%a: f64, %b: index, %c: bf16, %d: i1) -> (f64, index, bf16, i1) {
  %s = aft_gpu.warp_reduce <add>, %a {lanes = 2} : f64
  %t = aft_gpu.warp_reduce <add>, %b {lanes = 2} : index
  %u = aft_gpu.warp_reduce <add>, %c {lanes = 2} : bf16
  %v = aft_gpu.warp_reduce <or>, %d {lanes = 2} : i1
  return %s, %t, %u, %v : f64, index, bf16, i1
}
