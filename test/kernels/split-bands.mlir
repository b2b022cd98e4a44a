// RUN: aft-opt %s -aft-split-bands | FileCheck %s
// RUN: aft-opt %s -aft-split-bands -lower-affine -aft-resolve-shapes | FileCheck %s --check-prefix=RESOLVED

// A part for each batch entry, and three more: four threads share a single one. The sum is
// rounded once.
// CHECK-DAG: #[[PARTS:.*]] = affine_map<()[s0] -> (s0 * 4, s0 + 3)>
// CHECK-DAG: #[[FIRST:.*]] = affine_map<(d0, d1, d2) -> (d2, d0, d1)>
// CHECK-DAG: #[[ROWS:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func.func @dynamic(
// CHECK: %[[P:.*]] = affine.min #[[PARTS]]
// CHECK: %[[ROOM:.*]] = tensor.empty(%[[P]], %{{.*}}) : tensor<?x?x32xf32>
// CHECK: %[[G:.*]]:4 = aft.local_grad {{.*}}outs({{.*}}, %[[ROOM]])
// CHECK: %[[SUM:.*]] = linalg.generic {indexing_maps = [#[[FIRST]], #[[ROWS]]], iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[G]]#3
// CHECK: %[[DBAND:.*]] = linalg.generic {{.*}} ins(%[[SUM]] : {{.*}}) outs(%arg8
// CHECK: arith.truncf
// CHECK: return %[[DBAND]]
// Extents that the operands leave open come from the destination.
// RESOLVED-LABEL: func.func @dynamic(
// RESOLVED: %[[P:.*]] = arith.minsi
// RESOLVED: tensor.empty(%[[P]], %{{.*}}) : tensor<?x?x32xf32>
// RESOLVED-NOT: cf.assert
// RESOLVED: aft.local_grad
func.func @dynamic(%dy: tensor<?x?x512xbf16>, %q: tensor<?x?x512xbf16>, %k: tensor<?x?x512xbf16>, %v: tensor<?x?x512xbf16>, %band: tensor<?x32xbf16>, %ratio: tensor<?x?x512xf32>, %logz: tensor<?x?x512xf32>, %x: tensor<?x?x512xbf16>, %b: tensor<?x32xbf16>) -> tensor<?x32xbf16> {
  %dq, %dk, %dv, %dband = aft.local_grad %dy, %q, %k, %v, %band, %ratio, %logz window = 32 causal outs(%x, %x, %x, %b) : (tensor<?x?x512xbf16>, tensor<?x?x512xbf16>, tensor<?x?x512xbf16>, tensor<?x?x512xbf16>, tensor<?x32xbf16>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xbf16>, tensor<?x?x512xbf16>, tensor<?x?x512xbf16>, tensor<?x32xbf16>) -> (tensor<?x?x512xbf16>, tensor<?x?x512xbf16>, tensor<?x?x512xbf16>, tensor<?x32xbf16>)
  return %dband : tensor<?x32xbf16>
}

// One panel is enough for 64 channels.
// CHECK-LABEL: func.func @static(
// CHECK: tensor.empty() : tensor<2x64x4xf32>
// CHECK: %[[SUM:.*]] = linalg.generic
// CHECK-NOT: linalg.generic
// CHECK: return %[[SUM]]
func.func @static(%x: tensor<2x64x64xf32>, %band: tensor<64x4xf32>) -> tensor<64x4xf32> {
  %dq, %dk, %dv, %dband = aft.local_grad %x, %x, %x, %x, %band, %x, %x window = 4 causal outs(%x, %x, %x, %band) : (tensor<2x64x64xf32>, tensor<2x64x64xf32>, tensor<2x64x64xf32>, tensor<2x64x64xf32>, tensor<64x4xf32>, tensor<2x64x64xf32>, tensor<2x64x64xf32>, tensor<2x64x64xf32>, tensor<2x64x64xf32>, tensor<2x64x64xf32>, tensor<64x4xf32>) -> (tensor<2x64x64xf32>, tensor<2x64x64xf32>, tensor<2x64x64xf32>, tensor<64x4xf32>)
  return %dband : tensor<64x4xf32>
}

// Parts would be larger than q; keys on both sides; channels that fill no vector.
// CHECK-LABEL: func.func @whole(
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @whole(%x: tensor<2x64x16xf32>, %band: tensor<64x32xf32>, %both: tensor<64x7xf32>, %o: tensor<2x64x20xf32>, %narrow: tensor<64x4xf32>) -> (tensor<64x32xf32>, tensor<64x7xf32>, tensor<64x4xf32>) {
  %a:4 = aft.local_grad %x, %x, %x, %x, %band, %x, %x window = 32 causal outs(%x, %x, %x, %band) : (tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<64x32xf32>, tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<64x32xf32>) -> (tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<64x32xf32>)
  %b:4 = aft.local_grad %x, %x, %x, %x, %both, %x, %x window = 4 outs(%x, %x, %x, %both) : (tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<64x7xf32>, tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<64x7xf32>) -> (tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<2x64x16xf32>, tensor<64x7xf32>)
  %c:4 = aft.local_grad %o, %o, %o, %o, %narrow, %o, %o window = 4 causal outs(%o, %o, %o, %narrow) : (tensor<2x64x20xf32>, tensor<2x64x20xf32>, tensor<2x64x20xf32>, tensor<2x64x20xf32>, tensor<64x4xf32>, tensor<2x64x20xf32>, tensor<2x64x20xf32>, tensor<2x64x20xf32>, tensor<2x64x20xf32>, tensor<2x64x20xf32>, tensor<64x4xf32>) -> (tensor<2x64x20xf32>, tensor<2x64x20xf32>, tensor<2x64x20xf32>, tensor<64x4xf32>)
  return %a#3, %b#3, %c#3 : tensor<64x32xf32>, tensor<64x7xf32>, tensor<64x4xf32>
}
