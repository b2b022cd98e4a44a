func.func @main(%x: tensor<1x2x3xf32>) -> tensor<1x2x3xf32> {
  %y = aft.simple %x, %x, %x : (tensor<1x2x3xf32>, tensor<1x2x3xf32>, tensor<1x2x3xf32>) -> tensor<1x2x3xf32>
  return %y : tensor<1x2x3xf32>
}
