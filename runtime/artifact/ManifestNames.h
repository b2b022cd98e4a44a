//===- ManifestNames.h - What a manifest calls things -----------------------===//

#ifndef AFT_RUNTIME_ARTIFACT_MANIFESTNAMES_H
#define AFT_RUNTIME_ARTIFACT_MANIFESTNAMES_H

#include "runtime/artifact/Manifest.h"

namespace aft {

/// By ArgumentRole.
inline constexpr const char *kRoles[] = {"caller", "weight", "state", "step", "seed"};
inline constexpr DType kTypes[] = {DType::f32, DType::f64, DType::bf16, DType::i1,
                                   DType::i8,  DType::i32, DType::i64};
/// What a product's numbers are called; those that are -1 are left out.
inline constexpr std::pair<const char *, int cuda::ProductCode::*> kProductNumbers[] = {
    {"a", &cuda::ProductCode::a},        {"b", &cuda::ProductCode::b},
    {"d", &cuda::ProductCode::d},        {"c", &cuda::ProductCode::c},
    {"bias", &cuda::ProductCode::bias},  {"m", &cuda::ProductCode::m},
    {"n", &cuda::ProductCode::n},        {"k", &cuda::ProductCode::k},
    {"batch", &cuda::ProductCode::batch}};

} // namespace aft

#endif // AFT_RUNTIME_ARTIFACT_MANIFESTNAMES_H
