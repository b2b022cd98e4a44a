// RUN: aft-opt %s -split-input-file -verify-diagnostics -aft-verify-kernels

// What the phase hands on. A hand-written kernel on memrefs passes.
func.func private @k(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel} {
  %z = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%y : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<4xf32>
  return %z : tensor<4xf32>
}
func.func private @hand(%x: memref<4xf32>, %begin: index, %end: index) -> index attributes {aft.kernel} {
  return %begin : index
}
func.func @main(%x: memref<4xf32>, %y: memref<4xf32>, %arena: memref<?xi8>)
    attributes {aft.entry, aft.interface = {inputs = [{type = tensor<4xf32>}], outputs = [{type = tensor<4xf32>}]}} {
  aft.launch @k ins(%x) outs(%y) : (memref<4xf32>, memref<4xf32>) -> ()
  return
}
func.func @main.plan(%dims: memref<?xindex>, %out: memref<?xindex>, %bytes: memref<1xindex>) -> index attributes {aft.plan} {
  %zero = arith.constant 0 : index
  return %zero : index
}

// -----

// expected-error @below {{must be a kernel, an entry or a plan after the kernels phase}}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}

// -----

// expected-error @below {{the last arguments of a kernel must have the types of its results}}
func.func private @k(%x: tensor<8xf32>, %y: tensor<4xf32>) -> tensor<8xf32> attributes {aft.kernel} {
  return %x : tensor<8xf32>
}

// -----

// expected-error @below {{a kernel must be private and return one tensor per destination}}
func.func @k(%x: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel} {
  return %x : tensor<4xf32>
}

// -----

func.func private @k(%x: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel} {
  // expected-error @below {{not supported yet: this operation in a kernel}}
  %y = linalg.map { arith.negf } ins(%x : tensor<4xf32>) outs(%x : tensor<4xf32>)
  return %y : tensor<4xf32>
}

// -----

// expected-error @below {{must have the attribute 'aft.interface' with the lists 'inputs' and 'outputs'}}
func.func @main(%x: memref<4xf32>, %arena: memref<?xi8>) attributes {aft.entry} {
  return
}

// -----

// expected-error @below {{an entry must take its inputs, its outputs and the arena, and return nothing}}
func.func @main(%x: memref<4xf32>) attributes {aft.entry, aft.interface = {inputs = [{type = tensor<4xf32>}], outputs = []}} {
  return
}

// -----

// expected-error @below {{has no plan '@main.plan'}}
func.func @main(%x: memref<4xf32>, %arena: memref<?xi8>) attributes {aft.entry, aft.interface = {inputs = [{type = tensor<4xf32>}], outputs = []}} {
  return
}

// -----

func.func private @k(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<4xf32> attributes {aft.kernel} {
  return %y : tensor<4xf32>
}
func.func @main(%x: memref<4xf64>, %y: memref<4xf32>, %arena: memref<?xi8>)
    attributes {aft.entry, aft.interface = {inputs = [{type = tensor<4xf64>}], outputs = [{type = tensor<4xf32>}]}} {
  // expected-error @below {{operand 0 must be a contiguous memref for 'tensor<4xf32>', found 'memref<4xf64>'}}
  aft.launch @k ins(%x) outs(%y) : (memref<4xf64>, memref<4xf32>) -> ()
  return
}
func.func @main.plan(%dims: memref<?xindex>, %out: memref<?xindex>, %bytes: memref<1xindex>) -> index attributes {aft.plan} {
  %zero = arith.constant 0 : index
  return %zero : index
}
