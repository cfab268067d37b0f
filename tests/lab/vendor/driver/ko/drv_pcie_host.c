// SPDX-License-Identifier: GPL-2.0
/* Stand-in for the driver's lower half: no hardware, only the name in lsmod and one symbol for the upper half. */
#include <linux/init.h>
#include <linux/module.h>

unsigned int drv_pcie_most_chips(void);

unsigned int drv_pcie_most_chips(void)
{
	return 64;
}
EXPORT_SYMBOL_GPL(drv_pcie_most_chips);

static int __init drv_pcie_host_init(void)
{
	return 0;
}

static void __exit drv_pcie_host_exit(void)
{
}

module_init(drv_pcie_host_init);
module_exit(drv_pcie_host_exit);
MODULE_DESCRIPTION("Stand-in: host side of the chips on the bus");
MODULE_VERSION("@VERSION@");
MODULE_LICENSE("GPL");
