//===- InternalApi.h - What AFT's own libraries and programs share --------===//

#ifndef AFT_RUNTIME_CORE_INTERNALAPI_H
#define AFT_RUNTIME_CORE_INTERNALAPI_H

/// Visible beyond its library, for AFT's other libraries and programs of exactly the same
/// version: the linker gives it the version AFT_INTERNAL_<version> (see exports.map.in).
/// What users may call carries AFT_API (aft/export.h).
#define AFT_INTERNAL __attribute__((visibility("default")))

#endif // AFT_RUNTIME_CORE_INTERNALAPI_H
