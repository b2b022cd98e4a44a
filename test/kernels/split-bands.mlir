// RUN: split-file %s %t
// RUN: aft-opt %t/bands.mlir -aft-split-bands | FileCheck %s
// RUN: aft-opt %t/bands.mlir -aft-split-bands -lower-affine -aft-resolve-shapes | FileCheck %s --check-prefix=RESOLVED
// RUN: not aft-opt %t/parts.mlir -aft-split-bands 2>&1 | FileCheck %s --check-prefix=PARTS

//--- bands.mlir

// A part for each batch entry, and four of a single one, which threads share. The sum is rounded
// once.
// CHECK-DAG: #[[ONE:.*]] = affine_map<()[s0] -> (s0 * 4, 4)>
// CHECK-DAG: #[[FIRST:.*]] = affine_map<(d0, d1, d2) -> (d2, d0, d1)>
// CHECK-DAG: #[[ROWS:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func.func @dynamic(
// CHECK: %[[OF_ONE:.*]] = affine.min #[[ONE]]
// CHECK: %[[P:.*]] = affine.max
// CHECK: %[[ROOM:.*]] = tensor.empty(%[[P]], %{{.*}}) : tensor<?x?x32xf32>
// CHECK: %[[G:.*]]:4 = aft.local_grad {{.*}}outs({{.*}}, %[[ROOM]])
// CHECK: %[[SUM:.*]] = linalg.generic {indexing_maps = [#[[FIRST]], #[[ROWS]]], iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[G]]#3
// CHECK: %[[DBAND:.*]] = linalg.generic {{.*}} ins(%[[SUM]] : {{.*}}) outs(%arg8
// CHECK: arith.truncf
// CHECK: return %[[DBAND]]
// Extents that the operands leave open come from the destination.
// RESOLVED-LABEL: func.func @dynamic(
// RESOLVED: arith.minsi
// RESOLVED: %[[P:.*]] = arith.maxsi
// RESOLVED: tensor.empty(%[[P]], %{{.*}}) : tensor<?x?x32xf32>
// RESOLVED-NOT: cf.assert
// RESOLVED: aft.local_grad
func.func @dynamic(%dy: tensor<?x?x512xbf16>, %q: tensor<?x?x512xbf16>, %k: tensor<?x?x512xbf16>, %v: tensor<?x?x512xbf16>, %band: tensor<?x32xbf16>, %ratio: tensor<?x?x512xf32>, %logz: tensor<?x?x512xf32>, %x: tensor<?x?x512xbf16>, %b: tensor<?x32xbf16>) -> tensor<?x32xbf16> {
  %dq, %dk, %dv, %dband = aft.local_grad %dy, %q, %k, %v, %band, %ratio, %logz window = 32 causal outs(%x, %x, %x, %b) : (tensor<?x?x512xbf16>, tensor<?x?x512xbf16>, tensor<?x?x512xbf16>, tensor<?x?x512xbf16>, tensor<?x32xbf16>, tensor<?x?x512xf32>, tensor<?x?x512xf32>, tensor<?x?x512xbf16>, tensor<?x?x512xbf16>, tensor<?x?x512xbf16>, tensor<?x32xbf16>) -> (tensor<?x?x512xbf16>, tensor<?x?x512xbf16>, tensor<?x?x512xbf16>, tensor<?x32xbf16>)
  return %dband : tensor<?x32xbf16>
}

// One panel is enough for 128 channels.
// CHECK-LABEL: func.func @static(
// CHECK: tensor.empty() : tensor<2x64x4xf32>
// CHECK: %[[SUM:.*]] = linalg.generic
// CHECK-NOT: linalg.generic
// CHECK: return %[[SUM]]
func.func @static(%x: tensor<2x64x128xf32>, %band: tensor<64x4xf32>) -> tensor<64x4xf32> {
  %dq, %dk, %dv, %dband = aft.local_grad %x, %x, %x, %x, %band, %x, %x window = 4 causal outs(%x, %x, %x, %band) : (tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<64x4xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<64x4xf32>) -> (tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<64x4xf32>)
  return %dband : tensor<64x4xf32>
}

// Parts would be larger than q; keys on both sides; channels that fill no vector, or are few.
// CHECK-LABEL: func.func @whole(
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @whole(%x: tensor<2x64x128xf32>, %band: tensor<64x160xf32>, %both: tensor<64x7xf32>, %o: tensor<2x64x132xf32>, %odd: tensor<64x4xf32>, %n: tensor<2x64x112xf32>) -> (tensor<64x160xf32>, tensor<64x7xf32>, tensor<64x4xf32>, tensor<64x4xf32>) {
  %a:4 = aft.local_grad %x, %x, %x, %x, %band, %x, %x window = 160 causal outs(%x, %x, %x, %band) : (tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<64x160xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<64x160xf32>) -> (tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<64x160xf32>)
  %b:4 = aft.local_grad %x, %x, %x, %x, %both, %x, %x window = 4 outs(%x, %x, %x, %both) : (tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<64x7xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<64x7xf32>) -> (tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<64x7xf32>)
  %c:4 = aft.local_grad %o, %o, %o, %o, %odd, %o, %o window = 4 causal outs(%o, %o, %o, %odd) : (tensor<2x64x132xf32>, tensor<2x64x132xf32>, tensor<2x64x132xf32>, tensor<2x64x132xf32>, tensor<64x4xf32>, tensor<2x64x132xf32>, tensor<2x64x132xf32>, tensor<2x64x132xf32>, tensor<2x64x132xf32>, tensor<2x64x132xf32>, tensor<64x4xf32>) -> (tensor<2x64x132xf32>, tensor<2x64x132xf32>, tensor<2x64x132xf32>, tensor<64x4xf32>)
  %d:4 = aft.local_grad %n, %n, %n, %n, %odd, %n, %n window = 4 causal outs(%n, %n, %n, %odd) : (tensor<2x64x112xf32>, tensor<2x64x112xf32>, tensor<2x64x112xf32>, tensor<2x64x112xf32>, tensor<64x4xf32>, tensor<2x64x112xf32>, tensor<2x64x112xf32>, tensor<2x64x112xf32>, tensor<2x64x112xf32>, tensor<2x64x112xf32>, tensor<64x4xf32>) -> (tensor<2x64x112xf32>, tensor<2x64x112xf32>, tensor<2x64x112xf32>, tensor<64x4xf32>)
  return %a#3, %b#3, %c#3, %d#3 : tensor<64x160xf32>, tensor<64x7xf32>, tensor<64x4xf32>, tensor<64x4xf32>
}

// A row of 17 cache lines makes two panels, not 17.
// CHECK-LABEL: func.func @prime(
// CHECK: tensor.empty() : tensor<2x64x4xf32>
func.func @prime(%x: tensor<1x64x272xf32>, %band: tensor<64x4xf32>) -> tensor<64x4xf32> {
  %dq, %dk, %dv, %dband = aft.local_grad %x, %x, %x, %x, %band, %x, %x window = 4 causal outs(%x, %x, %x, %band) : (tensor<1x64x272xf32>, tensor<1x64x272xf32>, tensor<1x64x272xf32>, tensor<1x64x272xf32>, tensor<64x4xf32>, tensor<1x64x272xf32>, tensor<1x64x272xf32>, tensor<1x64x272xf32>, tensor<1x64x272xf32>, tensor<1x64x272xf32>, tensor<64x4xf32>) -> (tensor<1x64x272xf32>, tensor<1x64x272xf32>, tensor<1x64x272xf32>, tensor<64x4xf32>)
  return %dband : tensor<64x4xf32>
}

//--- parts.mlir
// Whoever asks for parts must know how many are written.
// PARTS: error: 'aft.local_grad' op gives 'dband' in parts, which the compiler alone may ask for
func.func @parts(%x: tensor<2x64x128xf32>, %band: tensor<64x4xf32>, %p: tensor<1x64x4xf32>) -> tensor<1x64x4xf32> {
  %dq, %dk, %dv, %dband = aft.local_grad %x, %x, %x, %x, %band, %x, %x window = 4 causal outs(%x, %x, %x, %p) : (tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<64x4xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<1x64x4xf32>) -> (tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<2x64x128xf32>, tensor<1x64x4xf32>)
  return %dband : tensor<1x64x4xf32>
}
