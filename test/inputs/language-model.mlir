// A small language model: embedding, two blocks with a causal local mixer whose bias is
// factorised, logits, loss. B and T are free.
#rows = affine_map<(i, c) -> (i, c)>
#columns = affine_map<(i, c) -> (c)>
func.func private @block(%x: tensor<?x32xf32>, %batch: index, %length: index, %g1: tensor<32xf32>, %b1: tensor<32xf32>, %wq: tensor<32x32xf32>, %bq: tensor<32xf32>, %wk: tensor<32x32xf32>, %bk: tensor<32xf32>, %wv: tensor<32x32xf32>, %bv: tensor<32xf32>, %u: tensor<32x4xf32>, %v: tensor<32x4xf32>, %wo: tensor<32x32xf32>, %bo: tensor<32xf32>, %g2: tensor<32xf32>, %b2: tensor<32xf32>, %w1: tensor<64x32xf32>, %c1: tensor<64xf32>, %w2: tensor<32x64xf32>, %c2: tensor<32xf32>) -> tensor<?x32xf32> {
    %zero = arith.constant 0.0 : f32
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %x, %c0 : tensor<?x32xf32>
    %n1 = aft.layer_norm %x, %g1, %b1 : (tensor<?x32xf32>, tensor<32xf32>, tensor<32xf32>) -> tensor<?x32xf32>
    %q_e = tensor.empty(%rows) : tensor<?x32xf32>
    %q_z = linalg.fill ins(%zero : f32) outs(%q_e : tensor<?x32xf32>) -> tensor<?x32xf32>
    %q_m = linalg.matmul_transpose_b ins(%n1, %wq : tensor<?x32xf32>, tensor<32x32xf32>) outs(%q_z : tensor<?x32xf32>) -> tensor<?x32xf32>
    %q = linalg.generic {indexing_maps = [#rows, #columns, #rows], iterator_types = ["parallel", "parallel"]} ins(%q_m, %bq : tensor<?x32xf32>, tensor<32xf32>) outs(%q_e : tensor<?x32xf32>) {
    ^bb0(%l: f32, %c: f32, %o: f32):
      %sum = arith.addf %l, %c : f32
      linalg.yield %sum : f32
    } -> tensor<?x32xf32>
    %k_e = tensor.empty(%rows) : tensor<?x32xf32>
    %k_z = linalg.fill ins(%zero : f32) outs(%k_e : tensor<?x32xf32>) -> tensor<?x32xf32>
    %k_m = linalg.matmul_transpose_b ins(%n1, %wk : tensor<?x32xf32>, tensor<32x32xf32>) outs(%k_z : tensor<?x32xf32>) -> tensor<?x32xf32>
    %k = linalg.generic {indexing_maps = [#rows, #columns, #rows], iterator_types = ["parallel", "parallel"]} ins(%k_m, %bk : tensor<?x32xf32>, tensor<32xf32>) outs(%k_e : tensor<?x32xf32>) {
    ^bb0(%l: f32, %c: f32, %o: f32):
      %sum = arith.addf %l, %c : f32
      linalg.yield %sum : f32
    } -> tensor<?x32xf32>
    %w_e = tensor.empty(%rows) : tensor<?x32xf32>
    %w_z = linalg.fill ins(%zero : f32) outs(%w_e : tensor<?x32xf32>) -> tensor<?x32xf32>
    %w_m = linalg.matmul_transpose_b ins(%n1, %wv : tensor<?x32xf32>, tensor<32x32xf32>) outs(%w_z : tensor<?x32xf32>) -> tensor<?x32xf32>
    %w = linalg.generic {indexing_maps = [#rows, #columns, #rows], iterator_types = ["parallel", "parallel"]} ins(%w_m, %bv : tensor<?x32xf32>, tensor<32xf32>) outs(%w_e : tensor<?x32xf32>) {
    ^bb0(%l: f32, %c: f32, %o: f32):
      %sum = arith.addf %l, %c : f32
      linalg.yield %sum : f32
    } -> tensor<?x32xf32>
    %q3 = tensor.expand_shape %q [[0, 1], [2]] output_shape [%batch, %length, 32] : tensor<?x32xf32> into tensor<?x?x32xf32>
    %k3 = tensor.expand_shape %k [[0, 1], [2]] output_shape [%batch, %length, 32] : tensor<?x32xf32> into tensor<?x?x32xf32>
    %v3 = tensor.expand_shape %w [[0, 1], [2]] output_shape [%batch, %length, 32] : tensor<?x32xf32> into tensor<?x?x32xf32>
    %us = tensor.extract_slice %u[0, 0] [%length, 4] [1, 1] : tensor<32x4xf32> to tensor<?x4xf32>
    %vs = tensor.extract_slice %v[0, 0] [%length, 4] [1, 1] : tensor<32x4xf32> to tensor<?x4xf32>
    %band = aft.band %us, %vs window = 8 causal : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
    %y3 = aft.local %q3, %k3, %v3, %band window = 8 causal : (tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x?x32xf32>, tensor<?x8xf32>) -> tensor<?x?x32xf32>
    %y = tensor.collapse_shape %y3 [[0, 1], [2]] : tensor<?x?x32xf32> into tensor<?x32xf32>
    %p_e = tensor.empty(%rows) : tensor<?x32xf32>
    %p_z = linalg.fill ins(%zero : f32) outs(%p_e : tensor<?x32xf32>) -> tensor<?x32xf32>
    %p_m = linalg.matmul_transpose_b ins(%y, %wo : tensor<?x32xf32>, tensor<32x32xf32>) outs(%p_z : tensor<?x32xf32>) -> tensor<?x32xf32>
    %p = linalg.generic {indexing_maps = [#rows, #columns, #rows], iterator_types = ["parallel", "parallel"]} ins(%p_m, %bo : tensor<?x32xf32>, tensor<32xf32>) outs(%p_e : tensor<?x32xf32>) {
    ^bb0(%l: f32, %c: f32, %o: f32):
      %sum = arith.addf %l, %c : f32
      linalg.yield %sum : f32
    } -> tensor<?x32xf32>
    %x1 = arith.addf %x, %p : tensor<?x32xf32>
    %n2 = aft.layer_norm %x1, %g2, %b2 : (tensor<?x32xf32>, tensor<32xf32>, tensor<32xf32>) -> tensor<?x32xf32>
    %h_e = tensor.empty(%rows) : tensor<?x64xf32>
    %h_z = linalg.fill ins(%zero : f32) outs(%h_e : tensor<?x64xf32>) -> tensor<?x64xf32>
    %h_m = linalg.matmul_transpose_b ins(%n2, %w1 : tensor<?x32xf32>, tensor<64x32xf32>) outs(%h_z : tensor<?x64xf32>) -> tensor<?x64xf32>
    %h = linalg.generic {indexing_maps = [#rows, #columns, #rows], iterator_types = ["parallel", "parallel"]} ins(%h_m, %c1 : tensor<?x64xf32>, tensor<64xf32>) outs(%h_e : tensor<?x64xf32>) {
    ^bb0(%l: f32, %c: f32, %o: f32):
      %sum = arith.addf %l, %c : f32
      linalg.yield %sum : f32
    } -> tensor<?x64xf32>
    %act = linalg.generic {indexing_maps = [#rows, #rows], iterator_types = ["parallel", "parallel"]} ins(%h : tensor<?x64xf32>) outs(%h_e : tensor<?x64xf32>) {
    ^bb0(%a: f32, %b: f32):
      %root = arith.constant 0.70710678 : f32
      %one = arith.constant 1.0 : f32
      %half_a = arith.constant 0.5 : f32
      %scaled = arith.mulf %a, %root : f32
      %erf = math.erf %scaled : f32
      %raised = arith.addf %erf, %one : f32
      %part = arith.mulf %a, %half_a : f32
      %gelu = arith.mulf %part, %raised : f32
      linalg.yield %gelu : f32
    } -> tensor<?x64xf32>
    %g_e = tensor.empty(%rows) : tensor<?x32xf32>
    %g_z = linalg.fill ins(%zero : f32) outs(%g_e : tensor<?x32xf32>) -> tensor<?x32xf32>
    %g_m = linalg.matmul_transpose_b ins(%act, %w2 : tensor<?x64xf32>, tensor<32x64xf32>) outs(%g_z : tensor<?x32xf32>) -> tensor<?x32xf32>
    %g = linalg.generic {indexing_maps = [#rows, #columns, #rows], iterator_types = ["parallel", "parallel"]} ins(%g_m, %c2 : tensor<?x32xf32>, tensor<32xf32>) outs(%g_e : tensor<?x32xf32>) {
    ^bb0(%l: f32, %c: f32, %o: f32):
      %sum = arith.addf %l, %c : f32
      linalg.yield %sum : f32
    } -> tensor<?x32xf32>
    %x2 = arith.addf %x1, %g : tensor<?x32xf32>
    return %x2 : tensor<?x32xf32>
}
func.func @main(%ids: tensor<?x?xi32> {aft.name = "ids"},
    %targets: tensor<?xi64> {aft.name = "targets"},
    %table: tensor<40x32xf32> {aft.param, aft.name = "table"},
    %place: tensor<32x32xf32> {aft.param, aft.name = "place"},
    %g1_0: tensor<32xf32> {aft.param, aft.name = "g1_0"},
    %b1_0: tensor<32xf32> {aft.param, aft.name = "b1_0"},
    %wq_0: tensor<32x32xf32> {aft.param, aft.name = "wq_0"},
    %bq_0: tensor<32xf32> {aft.param, aft.name = "bq_0"},
    %wk_0: tensor<32x32xf32> {aft.param, aft.name = "wk_0"},
    %bk_0: tensor<32xf32> {aft.param, aft.name = "bk_0"},
    %wv_0: tensor<32x32xf32> {aft.param, aft.name = "wv_0"},
    %bv_0: tensor<32xf32> {aft.param, aft.name = "bv_0"},
    %u_0: tensor<32x4xf32> {aft.param, aft.name = "u_0"},
    %v_0: tensor<32x4xf32> {aft.param, aft.name = "v_0"},
    %wo_0: tensor<32x32xf32> {aft.param, aft.name = "wo_0"},
    %bo_0: tensor<32xf32> {aft.param, aft.name = "bo_0"},
    %g2_0: tensor<32xf32> {aft.param, aft.name = "g2_0"},
    %b2_0: tensor<32xf32> {aft.param, aft.name = "b2_0"},
    %w1_0: tensor<64x32xf32> {aft.param, aft.name = "w1_0"},
    %c1_0: tensor<64xf32> {aft.param, aft.name = "c1_0"},
    %w2_0: tensor<32x64xf32> {aft.param, aft.name = "w2_0"},
    %c2_0: tensor<32xf32> {aft.param, aft.name = "c2_0"},
    %g1_1: tensor<32xf32> {aft.param, aft.name = "g1_1"},
    %b1_1: tensor<32xf32> {aft.param, aft.name = "b1_1"},
    %wq_1: tensor<32x32xf32> {aft.param, aft.name = "wq_1"},
    %bq_1: tensor<32xf32> {aft.param, aft.name = "bq_1"},
    %wk_1: tensor<32x32xf32> {aft.param, aft.name = "wk_1"},
    %bk_1: tensor<32xf32> {aft.param, aft.name = "bk_1"},
    %wv_1: tensor<32x32xf32> {aft.param, aft.name = "wv_1"},
    %bv_1: tensor<32xf32> {aft.param, aft.name = "bv_1"},
    %u_1: tensor<32x4xf32> {aft.param, aft.name = "u_1"},
    %v_1: tensor<32x4xf32> {aft.param, aft.name = "v_1"},
    %wo_1: tensor<32x32xf32> {aft.param, aft.name = "wo_1"},
    %bo_1: tensor<32xf32> {aft.param, aft.name = "bo_1"},
    %g2_1: tensor<32xf32> {aft.param, aft.name = "g2_1"},
    %b2_1: tensor<32xf32> {aft.param, aft.name = "b2_1"},
    %w1_1: tensor<64x32xf32> {aft.param, aft.name = "w1_1"},
    %c1_1: tensor<64xf32> {aft.param, aft.name = "c1_1"},
    %w2_1: tensor<32x64xf32> {aft.param, aft.name = "w2_1"},
    %c2_1: tensor<32xf32> {aft.param, aft.name = "c2_1"},
    %wl: tensor<40x32xf32> {aft.param, aft.name = "wl"},
    %cl: tensor<40xf32> {aft.param, aft.name = "cl"}) -> (tensor<f32>, tensor<?x40xf32>) {
    %zero = arith.constant 0.0 : f32
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %batch = tensor.dim %ids, %c0 : tensor<?x?xi32>
    %length = tensor.dim %ids, %c1 : tensor<?x?xi32>
    %e = aft.embedding %ids, %table : (tensor<?x?xi32>, tensor<40x32xf32>) -> tensor<?x?x32xf32>
    %places = tensor.extract_slice %place[0, 0] [%length, 32] [1, 1] : tensor<32x32xf32> to tensor<?x32xf32>
    %empty = tensor.empty(%batch, %length) : tensor<?x?x32xf32>
    %x3 = linalg.generic {indexing_maps = [affine_map<(b, t, c) -> (b, t, c)>, affine_map<(b, t, c) -> (t, c)>, affine_map<(b, t, c) -> (b, t, c)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%e, %places : tensor<?x?x32xf32>, tensor<?x32xf32>) outs(%empty : tensor<?x?x32xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %sum = arith.addf %a, %b : f32
      linalg.yield %sum : f32
    } -> tensor<?x?x32xf32>
    %x = tensor.collapse_shape %x3 [[0, 1], [2]] : tensor<?x?x32xf32> into tensor<?x32xf32>
    %rows = tensor.dim %x, %c0 : tensor<?x32xf32>
    %y0 = call @block(%x, %batch, %length, %g1_0, %b1_0, %wq_0, %bq_0, %wk_0, %bk_0, %wv_0, %bv_0, %u_0, %v_0, %wo_0, %bo_0, %g2_0, %b2_0, %w1_0, %c1_0, %w2_0, %c2_0) : (tensor<?x32xf32>, index, index, tensor<32xf32>, tensor<32xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<32x4xf32>, tensor<32x4xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<64x32xf32>, tensor<64xf32>, tensor<32x64xf32>, tensor<32xf32>) -> tensor<?x32xf32>
    %y1 = call @block(%y0, %batch, %length, %g1_1, %b1_1, %wq_1, %bq_1, %wk_1, %bk_1, %wv_1, %bv_1, %u_1, %v_1, %wo_1, %bo_1, %g2_1, %b2_1, %w1_1, %c1_1, %w2_1, %c2_1) : (tensor<?x32xf32>, index, index, tensor<32xf32>, tensor<32xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<32x4xf32>, tensor<32x4xf32>, tensor<32x32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<64x32xf32>, tensor<64xf32>, tensor<32x64xf32>, tensor<32xf32>) -> tensor<?x32xf32>
    %logits_e = tensor.empty(%rows) : tensor<?x40xf32>
    %logits_z = linalg.fill ins(%zero : f32) outs(%logits_e : tensor<?x40xf32>) -> tensor<?x40xf32>
    %logits_m = linalg.matmul_transpose_b ins(%y1, %wl : tensor<?x32xf32>, tensor<40x32xf32>) outs(%logits_z : tensor<?x40xf32>) -> tensor<?x40xf32>
    %logits = linalg.generic {indexing_maps = [#rows, #columns, #rows], iterator_types = ["parallel", "parallel"]} ins(%logits_m, %cl : tensor<?x40xf32>, tensor<40xf32>) outs(%logits_e : tensor<?x40xf32>) {
    ^bb0(%l: f32, %c: f32, %o: f32):
      %sum = arith.addf %l, %c : f32
      linalg.yield %sum : f32
    } -> tensor<?x40xf32>
    %loss = aft.cross_entropy %logits, %targets : (tensor<?x40xf32>, tensor<?xi64>) -> tensor<f32>
    return %loss, %logits : tensor<f32>, tensor<?x40xf32>
}
