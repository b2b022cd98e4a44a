// The mean of the squared errors of a layer with a nonlinear one before it; training
// makes a step of it (aftc --training=adamw).
func.func @main(%x: tensor<?x4xf32> {aft.name = "x"}, %y: tensor<?x1xf32> {aft.name = "y"},
                %w1: tensor<4x16xf32> {aft.name = "w1", aft.param},
                %w2: tensor<16x1xf32> {aft.name = "w2", aft.param})
    -> (tensor<f32> {aft.name = "loss"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %e1 = tensor.empty(%n) : tensor<?x16xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x16xf32>) -> tensor<?x16xf32>
  %h = linalg.matmul ins(%x, %w1 : tensor<?x4xf32>, tensor<4x16xf32>) outs(%f1 : tensor<?x16xf32>) -> tensor<?x16xf32>
  %t = math.tanh %h : tensor<?x16xf32>
  %e2 = tensor.empty(%n) : tensor<?x1xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x1xf32>) -> tensor<?x1xf32>
  %p = linalg.matmul ins(%t, %w2 : tensor<?x16xf32>, tensor<16x1xf32>) outs(%f2 : tensor<?x1xf32>) -> tensor<?x1xf32>
  %d = arith.subf %p, %y : tensor<?x1xf32>
  %e3 = tensor.empty() : tensor<f32>
  %f3 = linalg.fill ins(%zero : f32) outs(%e3 : tensor<f32>) -> tensor<f32>
  %rows = arith.index_cast %n : index to i32
  %count = arith.sitofp %rows : i32 to f32
  %sum = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>],
                         iterator_types = ["reduction", "reduction"]}
      ins(%d : tensor<?x1xf32>) outs(%f3 : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %q = arith.mulf %a, %a : f32
    %s = arith.addf %o, %q : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  %loss = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
      ins(%sum : tensor<f32>) outs(%f3 : tensor<f32>) {
  ^bb0(%a: f32, %o: f32):
    %m = arith.divf %a, %count : f32
    linalg.yield %m : f32
  } -> tensor<f32>
  return %loss : tensor<f32>
}
