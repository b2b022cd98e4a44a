// RUN: aft-opt %s -split-input-file -verify-diagnostics -aft-plan-memory -canonicalize -cse | FileCheck %s

// The first temporary is dead when the third is made: two places in the arena for three
// temporaries. The arena is as large as both, in units of 64 bytes.
// CHECK-LABEL: func.func @main(
// CHECK-SAME: %[[X:.*]]: memref<1024xf32>, %[[Y:.*]]: memref<1024xf32>, %[[ARENA:.*]]: memref<?xi8>) attributes {aft.entry
// CHECK: %[[A:.*]] = memref.view %[[ARENA]][%[[P:.*]]][] : memref<?xi8> to memref<1024xf32>
// CHECK: aft.launch @k ins(%[[X]]) outs(%[[A]])
// CHECK: %[[B:.*]] = memref.view %[[ARENA]][%[[Q:.*]]][] : memref<?xi8> to memref<1024xf32>
// CHECK: aft.launch @k ins(%[[A]]) outs(%[[B]])
// CHECK: aft.launch @k ins(%[[B]]) outs(%[[A]])
// CHECK: aft.launch @k ins(%[[A]]) outs(%
// CHECK-LABEL: func.func @main.plan(
// CHECK-SAME: %{{.*}}: memref<?xindex>, %{{.*}}: memref<?xindex>, %[[BYTES:.*]]: memref<1xindex>) -> index attributes {aft.plan}
// CHECK: %[[SIZE:.*]] = arith.constant 8192 : index
// CHECK: memref.store %[[SIZE]], %[[BYTES]]
func.func private @k(%x: tensor<1024xf32>, %y: tensor<1024xf32>) -> tensor<1024xf32> attributes {aft.kernel} {
  %z = linalg.copy ins(%x : tensor<1024xf32>) outs(%y : tensor<1024xf32>) -> tensor<1024xf32>
  return %z : tensor<1024xf32>
}
func.func @main(%x: tensor<1024xf32>) -> tensor<1024xf32> attributes {aft.entry, aft.interface = {inputs = [{type = tensor<1024xf32>}], outputs = [{type = tensor<1024xf32>}]}} {
  %e = tensor.empty() : tensor<1024xf32>
  %0 = aft.launch @k ins(%x) outs(%e) : (tensor<1024xf32>, tensor<1024xf32>) -> tensor<1024xf32>
  %1 = aft.launch @k ins(%0) outs(%e) : (tensor<1024xf32>, tensor<1024xf32>) -> tensor<1024xf32>
  %2 = aft.launch @k ins(%1) outs(%e) : (tensor<1024xf32>, tensor<1024xf32>) -> tensor<1024xf32>
  %3 = aft.launch @k ins(%2) outs(%e) : (tensor<1024xf32>, tensor<1024xf32>) -> tensor<1024xf32>
  return %3 : tensor<1024xf32>
}
