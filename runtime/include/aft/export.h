/*===- export.h - Which declarations the libraries offer -------------------===*\
|* The libraries hide everything but what carries AFT_API.                     *|
\*===----------------------------------------------------------------------===*/

#ifndef AFT_EXPORT_H
#define AFT_EXPORT_H

/* aft/aft.h, which stands alone, defines the same. */
#ifndef AFT_API
#define AFT_API __attribute__((visibility("default")))
#endif

/* A part of such a class that nobody else sees. */
#define AFT_HIDDEN __attribute__((visibility("hidden")))

#endif /* AFT_EXPORT_H */
