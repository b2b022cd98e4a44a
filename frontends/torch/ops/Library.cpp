//===- Library.cpp - The schemas of the aft operators ---------------------===//
// mixer_forward and mixer_backward are what the differentiable operators are
// made of; they are operators themselves so that tracing sees their shapes.

#include <torch/library.h>

TORCH_LIBRARY(aft, m) {
  m.set_python_module("aft");
  const std::vector<at::Tag> tags = {at::Tag::pt2_compliant_tag};
  const char *options = ", *, bool causal=False, Tensor? lengths=None, str gate=\"sigmoid\")";
  auto def = [&](const std::string &schema) { m.def(schema.c_str(), tags); };
  def(std::string("full(Tensor q, Tensor k, Tensor v, Tensor w") + options + " -> Tensor");
  def(std::string("local(Tensor q, Tensor k, Tensor v, Tensor band, int window") + options +
      " -> Tensor");
  def(std::string("simple(Tensor q, Tensor k, Tensor v") + options + " -> Tensor");
  def(std::string("conv(Tensor q, Tensor k, Tensor v, Tensor filter, int[] grid") + options +
      " -> Tensor");
  def("band(Tensor u, Tensor v, int window, *, bool causal=False) -> Tensor");

  const char *mixer = "str mixer, Tensor q, Tensor k, Tensor v, Tensor? bias, Tensor? lengths, "
                      "int window, int[] grid, bool causal, str gate)";
  def(std::string("mixer_forward(") + mixer + " -> (Tensor y, Tensor ratio, Tensor logz)");
  def(std::string("mixer_backward(Tensor dy, Tensor ratio, Tensor logz, ") + mixer +
      " -> (Tensor dq, Tensor dk, Tensor dv, Tensor dbias)");
  def("band_backward(Tensor dband, Tensor u, Tensor v, int window, bool causal) -> "
      "(Tensor du, Tensor dv)");

  def("simple_online(Tensor q, Tensor k, Tensor v, Tensor m, Tensor n, Tensor z, "
      "str gate=\"sigmoid\") -> (Tensor, Tensor, Tensor, Tensor)");
  def("local_online(Tensor q, Tensor k, Tensor v, Tensor band, Tensor m, Tensor n, Tensor z, "
      "Tensor recent_k, Tensor recent_v, int window, str gate=\"sigmoid\") -> "
      "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
  def("conv_online(Tensor q, Tensor k, Tensor v, Tensor filter, Tensor m, Tensor n, Tensor z, "
      "Tensor recent_k, Tensor recent_v, str gate=\"sigmoid\") -> "
      "(Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");
}
