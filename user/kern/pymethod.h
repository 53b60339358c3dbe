/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where CPython's C methods lie, in stripped builds as well: the function itself is static, but a
 * table of PyMethodDef names it, and that the interpreter needs. Calls go through the table, so
 * that its entry is the one that runs, whatever the optimiser made of the others.
 *
 * Sources: Include/cpython/object.h (struct _typeobject), Include/methodobject.h (struct
 * PyMethodDef), the same from 3.6 to 3.14; free-threaded builds have a PyObject of 32 bytes.
 */
#ifndef ST_KERN_PYMETHOD_H
#define ST_KERN_PYMETHOD_H

#include <stdint.h>

struct st_elf;

struct st_pymethod {
	uint64_t addr;	/* of the C function; 0: not found */
	uint64_t off;	/* the same in the file */
	uint32_t flags; /* METH_* */
};

/*
 * A method of a static type whose symbol is exported: ("PyContext_Type", "run"). -ENOENT: no such
 * symbol or no such method; -EINVAL: what the symbol names does not look like a type.
 */
int st_pymethod__of_type(struct st_elf *e, const char *symbol, const char *method,
			 struct st_pymethod *out);

/*
 * The one table that has all these names (at most 16), wherever it is referred from: out[i] is
 * names[i]. -ENOENT: none has; -ENOTUNIQ: several have.
 */
int st_pymethod__in_table(struct st_elf *e, const char *const *names, int cnt,
			  struct st_pymethod *out);

#endif
