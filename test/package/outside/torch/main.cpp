// Compiles a layer and compares it with the layer.
#include <aft/nn.h>
#include <aft/torch.h>
#include <cstdio>

int main() {
  aft::nn::AFTSimple layer(aft::nn::MixerOptions(8).causal(true));
  auto compiled = aft::compile(layer, {at::randn({2, 5, 8})});
  at::Tensor x = at::randn({3, 7, 8});
  at::Tensor error = (compiled(x) - layer->forward(x)).abs().max();
  std::printf("error below 1e-5: %d\n", error.item<double>() < 1e-5);
}
