// RUN: aft-opt %s -split-input-file -verify-diagnostics -aft-check-phase=phase=vector
// RUN: not aft-opt %s -split-input-file -aft-check-phase=phase=nowhere 2>&1 | FileCheck %s
// CHECK: unknown phase 'nowhere', expected graph

// What a phase left over is an error that names it. Hand-written code passes.

func.func private @good(%a: memref<?xf32>, %begin: index, %end: index) -> index attributes {aft.kernel} {
  %t = memref.alloca() : memref<16xf32>
  return %begin : index
}

// -----

func.func private @k(%a: memref<4xf32>, %begin: index, %end: index) -> index attributes {aft.kernel} {
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{not supported yet: phase 'vector' left 'linalg.fill' in @k}}
  linalg.fill ins(%zero : f32) outs(%a : memref<4xf32>)
  return %begin : index
}

// -----

func.func private @k(%a: memref<4xf32>, %begin: index, %end: index) -> index attributes {aft.kernel} {
  // expected-error @below {{not supported yet: phase 'vector' left 'memref.alloc' in @k: kernels must not allocate}}
  %t = memref.alloc() : memref<16xf32>
  return %begin : index
}

// -----

// expected-error @below {{kernel @k must have type (memrefs..., index, index) -> index after phase 'vector', found '(tensor<4xf32>) -> ()'}}
func.func private @k(%a: tensor<4xf32>) attributes {aft.kernel} {
  return
}

// -----

// expected-error @below {{not supported yet: phase 'vector' left function @main as it was}}
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  return %a : tensor<4xf32>
}

// -----

// expected-error @below {{entry @main has no plan @main.plan}}
func.func @main(%a: memref<4xf32>, %arena: memref<?xi8>) attributes {aft.entry} {
  return
}

// -----

// expected-error @below {{not supported yet: kernel @k takes 8388608 bytes of stack, more than 4194304}}
func.func private @k(%a: memref<4xf32>, %begin: index, %end: index) -> index attributes {aft.kernel} {
  %t = memref.alloca() : memref<1024x2048xf32>
  return %begin : index
}

// -----

func.func private @k(%a: memref<4xf32>, %begin: index, %end: index) -> index attributes {aft.kernel} {
  // expected-error @below {{not supported yet: phase 'vector' left 'memref.alloca' in @k of a size known only at run time}}
  %t = memref.alloca(%end) : memref<?xf32>
  return %begin : index
}
