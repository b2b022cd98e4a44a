// RUN: aft-opt %s | aft-opt | FileCheck %s

// A stride of 1 is not written.
// CHECK-LABEL: func.func @reduce(
// CHECK: aft_gpu.warp_reduce <add>, %{{.*}} {lanes = 32 : i64} : f32
// CHECK: aft_gpu.warp_reduce <maximumf>, %{{.*}} {lanes = 4 : i64, stride = 8 : i64} : f64
// CHECK: aft_gpu.warp_reduce <minui>, %{{.*}} {lanes = 2 : i64} : index
// CHECK: aft_gpu.warp_reduce <xor>, %{{.*}} {lanes = 16 : i64, stride = 2 : i64} : i1
func.func @reduce(%a: f32, %b: f64, %c: index, %d: i1) -> (f32, f64, index, i1) {
  %s = aft_gpu.warp_reduce <add>, %a {lanes = 32, stride = 1} : f32
  %t = aft_gpu.warp_reduce <maximumf>, %b {lanes = 4, stride = 8} : f64
  %u = aft_gpu.warp_reduce <minui>, %c {lanes = 2} : index
  %v = aft_gpu.warp_reduce <xor>, %d {lanes = 16, stride = 2} : i1
  return %s, %t, %u, %v : f32, f64, index, i1
}
